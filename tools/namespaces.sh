#!/usr/bin/env bash
# Several hosts on one machine, for tests of runs on a cluster: network namespaces with names of their own and real TCP between them
# over a bridge. They share the file system. Needs root and iproute2.
#   tools/namespaces.sh up N              host1 .. hostN, 10.77.0.1 .. 10.77.0.N
#   tools/namespaces.sh cut HOST          nobody reaches it any more; its processes go on
#   tools/namespaces.sh lose HOST         its processes are killed and its cable is cut
#   tools/namespaces.sh back HOST
#   tools/namespaces.sh down
#   tools/namespaces.sh run HOST COMMAND  on that host, as `ssh HOST COMMAND`: mpirun --mca plm_rsh_agent "tools/namespaces.sh run"
set -euo pipefail
bridge=fathom-br

exists() { ip netns list | grep -qE "^$1( |$)"; }

case ${1:-} in
  up)
    ip link add "$bridge" type bridge
    ip link set "$bridge" up
    for i in $(seq "$2"); do
      ip netns add "host$i"
      ip link add "fathom-$i" type veth peer name eth0 netns "host$i"
      ip link set "fathom-$i" master "$bridge" up
      ip -n "host$i" addr add "10.77.0.$i/24" dev eth0
      ip -n "host$i" link set eth0 up
      ip -n "host$i" link set lo up
    done
    ;;
  cut) ip link set "fathom-${2#host}" down ;;
  lose)
    ip netns pids "$2" | xargs -r kill -9 || true
    ip link set "fathom-${2#host}" down
    ;;
  back) ip link set "fathom-${2#host}" up ;;
  down)
    for host in $(ip netns list | grep -oE '^host[0-9]+'); do
      ip netns pids "$host" | xargs -r kill -9 || true
      ip netns del "$host"
    done
    ip link del "$bridge" 2>/dev/null || true
    ;;
  run)
    host=$2
    shift 2
    exists "$host" || { echo "no such host: $host" >&2; exit 255; }
    [ "$(ip netns exec "$host" cat /sys/class/net/eth0/operstate)" = up ] || { echo "cannot reach $host" >&2; exit 255; }
    # A name of its own, and a file of names in which all hosts stand, as ssh's hosts would have.
    exec ip netns exec "$host" unshare --uts --mount bash -c '
      hostname "$1"
      names=$(mktemp)
      { echo 127.0.0.1 localhost; for i in $(seq 64); do echo "10.77.0.$i host$i"; done; } >"$names"
      mount --bind "$names" /etc/hosts
      shift
      eval "$*"' _ "$host" "$@"
    ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
