#!/usr/bin/env python3
"""Items of the task `continuation`: which of four texts goes on from where a passage stops.

    tools/continuation_items.py data/kjv.jsonl.zst --validation 0.02 --items 400 --out data/continuation/test.jsonl.zst

Passages come from the documents that `fathom prepare` with the same texts and --validation sets aside, so that a model which is
trained on the rest has not seen them. The wrong texts are of about the right one's length, from other documents set aside, so that
neither length nor style tells. The same seed writes the same file. A .zst text, or file of items, needs the program zstd.
"""

import argparse
import json
import os
import random
import re
import subprocess
import sys
from bisect import bisect_left
from pathlib import Path

SHORTEST, LONGEST = 30, 300  # characters of a text


def documents(path):
    command = {".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}.get(Path(path).suffix, ["cat"])
    with open(path, "rb") as file:
        process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE)
        for line in process.stdout:
            yield json.loads(line)["text"]
        if process.wait():
            sys.exit(f"{path}: cannot be read")


def set_aside(paths, share):
    """Documents for validation, by the rule of fathom prepare: one that comes while validation has less than its share of the bytes."""
    total = held = 0
    for path in paths:
        for text in documents(path):
            size = len(text.encode())
            if held < share * total:
                held += size
                yield text
            total += size


def pieces(text):
    """Lines, or the sentences of longer ones."""
    for line in text.split("\n"):
        for piece in [line] if len(line) <= LONGEST else re.split(r"(?<=[.!?])\s+", line):
            if piece.strip():
                yield piece.strip()


def items(texts, count, context, rng):
    passages, endings = [], []  # (document, pieces before, the next piece); (length, document, piece)
    for number, text in enumerate(texts):
        parts = list(pieces(text))
        for i, piece in enumerate(parts):
            if not SHORTEST <= len(piece) <= LONGEST:
                continue
            endings.append((len(piece), number, piece))
            before = parts[:i]
            while len("\n".join(before)) > context:
                before.pop(0)
            if len("\n".join(before)) >= context // 2:
                passages.append((number, "\n".join(before), piece))
    endings.sort()
    rng.shuffle(passages)
    for number, before, right in passages[:count]:
        at = bisect_left(endings, (len(right), -1, ""))
        near = [e for e in endings[max(at - 40, 0) : at + 40] if e[1] != number and e[2] != right]
        wrong = list(dict.fromkeys(e[2] for e in near))
        if len(wrong) < 3:
            continue
        choices = [right, *rng.sample(wrong, 3)]
        rng.shuffle(choices)
        yield {"context": before, "endings": choices, "label": choices.index(right), "document": number}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", help="JSON lines with a text each, in the order that fathom prepare gets them")
    parser.add_argument("--validation", type=float, default=0.01, help="share that is set aside")
    parser.add_argument("--items", type=int, default=1000, help="at most")
    parser.add_argument("--context", type=int, default=400, help="characters of a passage, at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    made = list(items(set_aside(args.texts, args.validation), args.items, args.context, rng))
    if not made:
        sys.exit(f"{' '.join(args.texts)}: the part set aside has no passage that is long enough")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = args.out.with_name(args.out.name + ".unfinished")
    rows = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in made).encode()
    if args.out.suffix == ".zst":
        rows = subprocess.run(["zstd", "-19q"], input=rows, check=True, capture_output=True).stdout
    unfinished.write_bytes(rows)
    os.replace(unfinished, args.out)
    print(f"{args.out}: {len(made)} items")


main()
