#!/usr/bin/env python3
"""GRPO steps of fathom against TRL on transformers: same model, questions, group and lengths, one after the other on one machine.

  FATHOM_PEER_PYTHON=/path/to/python bench/grpo.py MODEL QUESTIONS.jsonl [--steps 4] [--per-step 4] [--group 16] [--tokens 64]

MODEL is a model folder with a tokenizer; each row of QUESTIONS has a `question`, or `messages` of which the last is one. Answers are as long
as the limit allows unless the model ends them; the mean length stands beside each time. About half the answers match a pattern and are rewarded,
so that groups differ: fathom does not learn from a group of equal rewards, and the peer does. Prints seconds of a step (the first one left out),
how they divide, the share of such groups, and the ratio.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
PATTERN = r"[\s\S]*[aeiou13579]\W*"  # of a whole answer: its last letter or digit is one of these


def fathom(args, folder):
    reward = "[{name = 'ends', kind = 'format', pattern = '%s'}]" % PATTERN
    keys = {
        "model.init_from": args.model, "data.train": args.questions, "data.sequence_length": args.tokens + args.prompt,
        "schedule.steps": args.steps, "batch.sequences": args.per_step, "batch.micro_batch": 8, "optimizer.lr": 1e-5,
        "grpo.group": args.group, "grpo.max_tokens": args.tokens, "grpo.beta": args.beta, "grpo.reward": reward,
        "grpo.sequences_at_once": args.per_step * args.group, "run.output": folder, "run.threads": args.threads, "checkpoint.every": 0,
    }  # fmt: skip
    command = [args.fathom, "grpo"]
    for key, value in keys.items():
        command += [f"--{key}", str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    steps = [json.loads(line) for line in open(f"{folder}/metrics.jsonl")]
    steps = [step for step in steps if "rollout_seconds" in step]
    spans = [after["time"] - before["time"] for before, after in zip(steps, steps[1:])]
    rollout = [step["rollout_seconds"] for step in steps[1:]]
    medians = [median(step[name] for step in steps[1:]) for name in ("length", "rollout_tokens_per_second", "skipped_groups")]
    return median(spans), median(rollout), *medians


def trl(args, python):
    command = [python, ROOT / "bench/peers/trl_grpo.py", args.model, args.questions, "--pattern", PATTERN]
    for flag in ("steps", "per-step", "group", "tokens", "beta", "threads"):
        command += [f"--{flag}", str(getattr(args, flag.replace("-", "_")))]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = json.loads(out.stdout.splitlines()[-1])
    return median(result["step_time"][1:]), median(result["length"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("questions")
    parser.add_argument("--fathom", default=str(ROOT / "build/cpu/fathom"))
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--per-step", type=int, default=4, help="questions")
    parser.add_argument("--group", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64, help="of an answer, at most")
    parser.add_argument("--prompt", type=int, default=64, help="tokens that a prompt may have")
    parser.add_argument("--beta", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, rollout, length, speed, skipped = fathom(args, folder)
    print(f"fathom: {seconds:.2f} s a step, {rollout / seconds:.0%} of it the rollout at {speed:.0f} tokens/s")
    print(f"answers of {length:.0f} tokens, {skipped:.0%} of the groups with equal rewards")
    python = os.environ.get("FATHOM_PEER_PYTHON")
    if not python:
        sys.exit("skipped: FATHOM_PEER_PYTHON names no Python with torch, transformers and trl")
    peer, length = trl(args, python)
    print(f"TRL: {peer:.2f} s a step; answers of {length:.0f} tokens\nfathom is {peer / seconds:.2f}x")


if __name__ == "__main__":
    main()
