#!/usr/bin/env python3
"""Trains as on a cluster, on one machine, and checks what comes of it.

    tools/cluster_check.py hosts      three hosts (tools/namespaces.sh) with TCP between them train under tools/launch.py; one is
                                      lost in the middle, first by its cable alone, then with its processes; two go on
    tools/cluster_check.py recipes    the recipes of the paper's two models, unchanged but for flags that make them small
                                      enough, on four ranks beside one process
    tools/cluster_check.py            both

The losses must be those of one process, to rounding. `hosts` needs root and iproute2; all of it needs mpirun and a build in
build/cpu. A few minutes on two cores, and 6 GB of memory.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAMESPACES = ROOT / "tools/namespaces.sh"
MPIRUN = "mpirun --allow-run-as-root --oversubscribe --bind-to none --mca mpi_yield_when_idle 1"
OVER_TCP = MPIRUN + " --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0"
HANG_SECONDS = 5
STEPS, LOSE_AFTER, EVERY = 60, 25, 10
# Rounding moves choices of experts in later steps, and with them the losses a little (tests/train/parallel_training_test.cpp).
TOLERANCE = {"f32": 1e-3, "bf16": 3e-2}


def say(text):
    print(text, flush=True)


def check(condition, text):
    if not condition:
        sys.exit(f"failed: {text}")


def flags(**values):
    return [word for key, value in values.items() for word in (f"--{key.replace('__', '.')}", str(value))]


def losses(output):
    """The training loss of each step, which stands there once; and the time of each."""
    path = Path(output) / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    steps = [line for line in lines if "loss" in line]
    check([line["step"] for line in steps] == list(range(1, len(steps) + 1)), f"the steps in {path} are not 1, 2, 3 ...")
    return [line["loss"] for line in steps], [line["time"] for line in steps]


def compare(output, alone, tolerance, what):
    got, want = losses(output)[0], losses(alone)[0]
    check(len(got) == len(want), f"{what}: {len(got)} steps, one process {len(want)}")
    worst = max(abs(a - b) / abs(b) for a, b in zip(got, want))
    say(f"{what}: {len(got)} steps, last loss {got[-1]:.4f}, one process {want[-1]:.4f}; "
        f"they differ by {worst:.1e} at most (allowed: {tolerance:g})")
    check(worst <= tolerance, f"{what}: the losses differ")


def run(command, **more):
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)
    check(done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done


def namespaces(*words, **more):
    return run([NAMESPACES, *words], **more)


def ranks_on(host):
    pids = subprocess.run(["ip", "netns", "pids", host], capture_output=True, text=True).stdout.split()
    names = [Path(f"/proc/{pid}/comm") for pid in pids]
    return [name for name in names if name.exists() and name.read_text() == "fathom\n"]


class Launched:
    """tools/launch.py on host1, and when it said what."""

    def __init__(self, command, log):
        agent = f"{NAMESPACES} run"
        line = [NAMESPACES, "run", "host1", "python3", ROOT / "tools/launch.py", "--hosts", "host1:2,host2:2,host3:2",
                "--agent", f"'{agent}'", "--mpirun", f"'{OVER_TCP}'", "--wait", "1", "--end-seconds", "5", "--", *command]
        self.said, self.log = [], log
        self.process = subprocess.Popen(line, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        with open(self.log, "w") as log:
            for line in self.process.stderr:
                self.said.append((time.time(), line.rstrip()))
                print(f"{time.time():.2f} {line}", end="", file=log, flush=True)

    def text(self):
        return "\n".join(line for _, line in self.said[-40:])

    def wait_for(self, happened, seconds, what):
        end = time.time() + seconds
        while not (found := happened()):
            check(time.time() < end and self.process.poll() is None, f"{what} did not come in {seconds} s\n{self.text()}")
            time.sleep(0.05)
        return found

    def when_said(self, part, seconds):
        return self.wait_for(lambda: next((t for t, line in list(self.said) if part in line), None), seconds, f"'{part}'")


def lose_a_host(fathom, folder, recipe, way):
    """`way`: how tools/namespaces.sh takes host3 away."""
    output = folder / way
    launched = Launched([fathom, "train", *recipe, *flags(run__output=output, run__threads=1, parallel__expert=2,
                                                          parallel__hang_seconds=HANG_SECONDS)], folder / f"{way}.log")
    launched.wait_for(lambda: len(losses(output)[0]) >= LOSE_AFTER, 180, f"step {LOSE_AFTER}")
    lost = time.time()
    namespaces(way, "host3")
    ended = launched.when_said("launch: exit code", 90) - lost
    launched.wait_for(lambda: not ranks_on("host3"), 60, "the end of the ranks of host3")
    gone = time.time() - lost
    launched.when_said("host3 is not reached", 60)
    launched.when_said("resumed after step", 60)
    first = int(next(line for _, line in launched.said if "resumed after step" in line).rsplit(" ", 1)[1])
    check(launched.process.wait(timeout=300) == 0, launched.text())
    resumed = losses(output)[1][first] - lost
    reasons = [line for _, line in launched.said if line.startswith("fathom: rank") or "has lost communication" in line]
    say(f"host3 lost by '{way}': the run had ended after {ended:.1f} s, host3's last rank after {gone:.1f} s; "
        f"resumed after step {first} on two hosts, its first step after {resumed:.1f} s")
    for reason in reasons:
        say(f"  {reason}")
    compare(output, folder / "alone", TOLERANCE["f32"], f"3 hosts, then 2 ({way})")
    namespaces("back", "host3")


def hosts(fathom, folder):
    check(os.geteuid() == 0, "network namespaces need root")
    run([fathom, "prepare", "data/kjv.jsonl.zst", "--train-tokenizer", "4096", "--validation", "0.02", "--out", folder / "data"])
    recipe = ["--config", "recipes/quickstart.toml",
              *flags(data__train=folder / "data", schedule__steps=STEPS, checkpoint__every=EVERY, validation__every=0,
                     run__log_every=EVERY, run__max_seconds=0, optimizer__lr=1e-3, batch__sequences=8, batch__micro_batch=1)]
    say(f"one process, {STEPS} steps")
    run([fathom, "train", *recipe, *flags(run__output=folder / "alone")])
    namespaces("up", "3")
    try:
        for way in ("cut", "lose"):
            lose_a_host(fathom, folder, recipe, way)
    finally:
        namespaces("down")


# What makes each small enough for a machine of two cores: fewer layers, narrower ones, shorter and fewer sequences. Everything
# else is the recipe's: the experts' groups, the balance losses, dropping, the optimizer, the schedule and bf16.
SMALLER = {
    "deepseek-v2": flags(model__num_hidden_layers=4, model__hidden_size=512, model__num_attention_heads=16, model__num_key_value_heads=16,
                         model__intermediate_size=1024, model__moe_intermediate_size=128, model__vocab_size=4096,
                         data__sequence_length=256, batch__sequences=8, batch__ramp_from=8),
    "deepseek-v2-lite": flags(model__num_hidden_layers=3, model__hidden_size=512, model__intermediate_size=2736,
                              model__moe_intermediate_size=176, model__vocab_size=4096, data__sequence_length=256,
                              batch__sequences=8),
}
SMALLER_STEPS = 3


def recipes(fathom, folder):
    run([fathom, "prepare", "data/kjv.jsonl.zst", "--train-tokenizer", "4096", "--validation", "0.02", "--out", folder / "data"])
    special = special_tokens(folder / "data")
    for name, smaller in SMALLER.items():
        recipe = ["train", "--config", f"recipes/{name}.toml", *smaller, *special,
                  *flags(data__train=folder / "data", validation__sequences=8, run__stop_at=SMALLER_STEPS)]
        started = time.time()
        run([fathom, *recipe, *flags(run__output=folder / name / "alone")])
        alone = time.time() - started
        plan = flags(parallel__pipeline=2, parallel__expert=2)
        done = run([*MPIRUN.split(), "-n", "4", fathom, *recipe, *plan, *flags(run__output=folder / name / "ranks")])
        memory = next(line for line in done.stderr.splitlines() if "memory of the fullest rank: " in line)
        say(f"{name}: {memory.split('] ')[-1]}; {alone:.0f} s alone, {time.time() - started - alone:.0f} s on 4 ranks")
        compare(folder / name / "ranks", folder / name / "alone", TOLERANCE["bf16"], f"{name}, 2 stages x 2 expert ranks")


def special_tokens(data):
    """The flags that name the data's own, where a config.json of a larger vocabulary names others."""
    tokens = {token["content"]: token["id"] for token in json.loads((data / "tokenizer.json").read_text())["added_tokens"]}
    bos = next(i for text, i in tokens.items() if "begin" in text or "bos" in text)
    eos = next(i for text, i in tokens.items() if "end" in text or "eos" in text)
    return flags(model__bos_token_id=bos, model__eos_token_id=eos)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["hosts", "recipes"])
    parser.add_argument("--fathom", type=Path, default=ROOT / "build/cpu/fathom")
    parser.add_argument("--folder", type=Path, default=ROOT / "out/cluster", help="what is made [out/cluster]")
    args = parser.parse_args()
    fathom = args.fathom.resolve()
    check(fathom.exists(), f"{fathom} is not there: ./check builds it")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for part in (hosts, recipes):
        if args.part in (None, part.__name__):
            folder = args.folder.resolve() / part.__name__
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            part(fathom, folder)
    say("all as it should be")


if __name__ == "__main__":
    main()
