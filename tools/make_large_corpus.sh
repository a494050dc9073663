#!/bin/bash
# A corpus of about 125 MB of English documentation, essays and dictionaries from Debian packages, for runs that the bundled
# text is too small for (bench/economy). Needs apt, dpkg-deb, python3 and zstd; nothing is installed.
#   tools/make_large_corpus.sh OUT.jsonl.zst
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: tools/make_large_corpus.sh OUT.jsonl.zst}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get download -q dict-gcide dict-wn dict-foldoc linux-doc python3-doc perl-doc anarchism > /dev/null
# The first two are names for packages with a version in their names.
for real in $(for name in linux-doc python3-doc; do dpkg-deb -f "$name"_*.deb Depends | grep -oE '(linux|python3\.[0-9]+)-doc(-[0-9.]+)?' | grep '[0-9]'; done | sort -u); do
  apt-get download -q "$real" > /dev/null
done
for package in *.deb; do dpkg-deb -x "$package" .; done
python3 "$here/debian_documents.py" . > documents.jsonl
zstd -q -12 -f documents.jsonl -o "$out"
echo "$out: $(wc -l < documents.jsonl) documents, $(wc -c < documents.jsonl) bytes of JSON"
