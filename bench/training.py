#!/usr/bin/env python3
"""Training steps of fathom against Hugging Face transformers in PyTorch, alternating on one machine.

  FATHOM_PEER_PYTHON=/path/to/python bench/training.py [--dtype f32|bf16] [--threads 2] [--rounds 3] [--modes eager:eager,...]

Each round runs fathom, then every mode of the peer (bench/peers/torch_train.py says what a mode is), then fathom again, so that
a machine that slows down slows both. Prints each median of tokens/s and fathom's ratio to the best mode. In bf16 the peer
runs in its two forms, all bf16 and f32 weights under autocast.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent


def fathom(args):
    command = [args.step_bench, args.config, args.dtype, str(args.batch), str(args.length)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": str(args.threads)})
    print(out.stdout, end="", flush=True)
    return float(re.search(r"(\d+) tokens/s", out.stdout)[1])


def peer(args, python, dtype):
    command = [python, ROOT / "bench/peers/torch_train.py", args.config, "--dtype", dtype, "--modes", args.modes]
    command += ["--batch", str(args.batch), "--length", str(args.length), "--threads", str(args.threads), "--budget", str(args.budget)]
    out = subprocess.run(command, check=True, capture_output=True, text=True)
    print(out.stdout, end="", flush=True)
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    return {f"{dtype} {line['mode']}": line["tokens_per_s"] for line in lines if "tokens_per_s" in line}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default=str(ROOT / "bench/configs/hidden512.json"))
    parser.add_argument("--step-bench", default=str(ROOT / "build/cpu/bench/step_bench"))
    parser.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, default=120, help="seconds for a mode of the peer, set-up included")
    parser.add_argument("--modes", default="eager:eager,eager:grouped_mm,compiled:eager,compiled:grouped_mm")
    args = parser.parse_args()
    python = os.environ.get("FATHOM_PEER_PYTHON")
    if not python:
        sys.exit("skipped: FATHOM_PEER_PYTHON names no Python with torch and transformers")
    ours, theirs = [], {}
    for _ in range(args.rounds):
        ours.append(fathom(args))
        for dtype in ("f32",) if args.dtype == "f32" else ("bf16", "autocast"):
            for mode, speed in peer(args, python, dtype).items():
                theirs.setdefault(mode, []).append(speed)
        ours.append(fathom(args))
    best = max(median(speeds) for speeds in theirs.values())
    rows = {f"fathom {args.dtype}": ours, **theirs}
    print(f"\n| {args.batch} x {args.length}, {args.threads} threads | tokens/s, median | least | most | fathom is |\n|---|---|---|---|---|")
    for name, speeds in rows.items():
        print(f"| {name} | {median(speeds):.0f} | {min(speeds):.0f} | {max(speeds):.0f} | {median(ours) / median(speeds):.2f}x |")
    print(f"\n{median(ours) / best:.2f}x the best of the peer")


if __name__ == "__main__":
    main()
