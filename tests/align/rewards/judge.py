"""A judge for the tests of command rewards: scores an answer by its length, or misbehaves as its argument says."""
import json
import os
import subprocess
import sys
import time


def send(value):
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def raw(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def score(request):
    return {"id": request["id"], "reward": len(request["text"])}


def requests():
    for line in sys.stdin:
        yield json.loads(line)


def good():
    for request in requests():
        send(score(request))


def backwards():
    """Reads a whole batch, whose last row says so, and answers it from its end."""
    batch = []
    for request in requests():
        batch.append(request)
        if request["row"]["last"]:
            for one in reversed(batch):
                send(score(one))
            batch = []


def by_word():
    """Does what the answer's text says."""
    for request in requests():
        word = request["text"]
        if word == "hang":
            time.sleep(1000)
        elif word == "crash":
            print("Traceback\nboom", file=sys.stderr)
            sys.exit(3)
        elif word == "kill":
            os.kill(os.getpid(), 9)
        elif word == "null":
            send({"id": request["id"], "reward": None, "error": "no idea\nat all"})
        elif word == "nan":
            send({"id": request["id"], "reward": float("nan")})
        elif word == "inf":
            send({"id": request["id"], "reward": float("-inf"), "note": "NaN \\\" Infinity"})
        elif word == "text":
            send({"id": request["id"], "reward": "high"})
        elif word == "missing":
            send({"id": request["id"]})
        elif word == "noise":
            raw("loading...\n\n[1]\n{\"id\": \"x\"}\n{}\n")
            send({"id": 10**9, "reward": 7})
            send(score(request))
            send({"id": request["id"], "reward": 99})
        elif word == "pieces":
            line = json.dumps(score(request)) + "\n"
            for c in line:
                raw(c)
                time.sleep(0.001)
        elif word == "half":
            raw("{\"id\": %d, \"rew" % request["id"])
            sys.exit(0)
        elif word == "flood":
            while True:
                raw("nonsense\n" * 100)
        elif word == "line":
            while True:
                raw("x" * 65536)
        elif word == "errors":
            sys.stderr.write("e" * 5_000_000)
            send(score(request))
        elif word == "endless errors":
            while True:
                sys.stderr.write("e\n" * 1000)
        else:
            send(score(request))


def large():
    """Writes more than a pipe holds for each answer."""
    for request in requests():
        send(dict(score(request), padding="p" * 100_000))


def once():
    """Ends after one answer, as if it had been the last."""
    send(score(next(requests())))


def family():
    """Starts a process of its own, says which, and hangs with it."""
    child = subprocess.Popen(["sleep", "1000"])
    with open(sys.argv[2], "w") as file:
        file.write(str(child.pid))
    os.rename(sys.argv[2], sys.argv[2] + ".pid")
    time.sleep(1000)


def deaf():
    """Never reads."""
    time.sleep(1000)


globals()[sys.argv[1]]()
