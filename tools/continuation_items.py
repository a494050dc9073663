#!/usr/bin/env python3
"""Items of the task `continuation`: which of four texts goes on from where a passage stops.

    tools/continuation_items.py data/kjv.jsonl.zst --validation 0.02 --items 400 --out data/continuation/test.jsonl.zst

Passages come from the documents that `fathom prepare` with the same texts and --validation sets aside, so that a model which is
trained on the rest has not seen them. The wrong texts are of about the right one's length, from other documents; with
--same-document from elsewhere in its own, so that neither subject nor style tells. The same seed writes the same file. A .zst text,
or file of items, needs the program zstd.
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

SHORTEST = 30  # characters of a text


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


def pieces(text, longest):
    """Lines, of longer ones their sentences, of longer ones their clauses."""
    parts = text.split("\n")
    for boundary in (r"(?<=[.!?])\s+", r"(?<=[,;:])\s+"):
        parts = [p for part in parts for p in ([part] if len(part) <= longest else re.split(boundary, part))]
    return [part.strip() for part in parts if part.strip()]


def passages(texts, context, longest):
    """(document's number, its pieces, those of the passage, the right one)"""
    for number, text in enumerate(texts):
        parts = pieces(text, longest)
        for i, right in enumerate(parts):
            before = parts[:i]
            while len("\n".join(before)) > context:
                before.pop(0)
            if SHORTEST <= len(right) <= longest and len("\n".join(before)) >= context // 2:
                yield number, parts, before, right


def of_like_length(right, texts, count):
    """The nearest in length among texts sorted by it."""
    at = bisect_left(texts, len(right), key=len)
    return sorted(texts[max(at - count, 0) : at + count], key=lambda t: abs(len(t) - len(right)))[:count]


def items(texts, args, rng):
    found = list(passages(texts, args.context, args.longest))
    all_rights = sorted(((right, number) for number, _, _, right in found), key=lambda r: len(r[0]))
    rng.shuffle(found)
    left = args.items
    for number, parts, before, right in found:
        if args.same_document:
            others = [p for p in parts if len(p) >= SHORTEST]
        else:
            at = bisect_left(all_rights, len(right), key=lambda r: len(r[0]))
            others = [text for text, of in all_rights[max(at - 40, 0) : at + 40] if of != number]
        others = sorted({p for p in others if p != right and p not in before}, key=lambda p: (len(p), p))
        wrong = of_like_length(right, others, 6 if args.same_document else 40)
        if len(wrong) < 3 or left == 0:
            continue
        choices = [right, *rng.sample(wrong, 3)]
        rng.shuffle(choices)
        left -= 1
        yield {"context": "\n".join(before), "endings": choices, "label": choices.index(right), "document": number}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("texts", nargs="+", help="JSON lines with a text each, in the order that fathom prepare gets them")
    parser.add_argument("--validation", type=float, default=0.01, help="share that is set aside")
    parser.add_argument("--items", type=int, default=1000, help="at most")
    parser.add_argument("--context", type=int, default=400, help="characters of a passage, at most")
    parser.add_argument("--longest", type=int, default=300, help="characters of an answer, at most")
    parser.add_argument("--same-document", action="store_true", help="take the wrong answers from the passage's own document")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    made = list(items(set_aside(args.texts, args.validation), args, rng))
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
