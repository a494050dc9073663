#!/usr/bin/env python3
"""Tokens/s of fine-tuning on packed conversations against pretraining, same model and packed length, alternating on one machine.

  bench/sft.py MODEL SHARDS CHAT.jsonl [--length 256] [--batch 4] [--steps 60] [--rounds 3]

MODEL is a model folder, SHARDS a folder of `fathom prepare` with its tokenizer. Prints each median of tokens/s, padding not counted, how full
the packed sequences are, and the ratio of fine-tuning to pretraining.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


def tokens_per_second(args, command, data):
    with tempfile.TemporaryDirectory() as folder:
        keys = {
            "model.init_from": args.model, "data.train": data, "data.sequence_length": args.length, "batch.sequences": args.batch,
            "batch.micro_batch": args.batch, "optimizer.lr": 1e-5, "schedule.steps": args.steps, "run.threads": args.threads, "run.device": args.device,
            "run.precision": args.precision, "run.output": folder, "checkpoint.every": 0,
        }  # fmt: skip
        flags = [text for key, value in keys.items() for text in (f"--{key}", str(value))]
        out = subprocess.run([args.fathom, command, *flags], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        steps = [json.loads(line) for line in open(f"{folder}/metrics.jsonl")]
    full = re.search(r"([\d.]+)% full", out)
    return median(step["tokens_per_second"] for step in steps[5:] if "tokens_per_second" in step), full and full[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("shards")
    parser.add_argument("chat")
    parser.add_argument("--fathom", default=str(ROOT / "build/cpu/fathom"))
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="f32")
    args = parser.parse_args()
    pretraining, tuning = [], []
    for _ in range(args.rounds):
        pretraining.append(tokens_per_second(args, "train", args.shards)[0])
        speed, full = tokens_per_second(args, "sft", args.chat)
        tuning.append(speed)
    print(f"pretraining {median(pretraining):,.0f} tokens/s; fine-tuning {median(tuning):,.0f} tokens/s, sequences {full}% full")
    print(f"fine-tuning is {median(tuning) / median(pretraining):.2f}x")


if __name__ == "__main__":
    main()
