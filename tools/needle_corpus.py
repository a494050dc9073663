#!/usr/bin/env python3
"""Text that teaches a small model to find needles, as `fathom eval needle` asks for them.

    tools/needle_corpus.py --text data/kjv.jsonl.zst --documents 40000 --bytes 900 --out needles.jsonl

Each document is a stretch of the text in which sentences such as "The number of the lamp is 48213." stand. Half of them repeat an
earlier one: there the number can be known. Some give an earlier key another number, and from there on that one counts. The same
seed writes the same file. A .zst or .gz text needs the program zstd or gzip.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from pathlib import Path

# Other words than the questions of `fathom eval needle` have beside these would do as well.
KEYS = """river lamp garden bridge mirror wheel basket tower candle anchor ladder window hammer bottle carpet pillow saddle needle button feather
kettle blanket market harbor forest island meadow valley orchard stable violin trumpet compass lantern chimney cottage fountain painting umbrella
wagon""".split()


def sentences(path):
    """The text's sentences, of at most 300 characters."""
    command = {".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}.get(Path(path).suffix, ["cat"])
    with open(path, "rb") as file:
        lines = subprocess.run(command, stdin=file, check=True, capture_output=True, text=True).stdout.splitlines()
    texts = [json.loads(line)["text"] if ".jsonl" in path else line for line in lines if line]
    found = [s.strip() + "." for text in texts for s in text.replace("\n", " ").split(".")]
    return [s for s in found if 1 < len(s) <= 300]


def document(rng, text, length, digits, needles, sentence):
    known, parts, written, at = {}, [], 0, rng.randrange(len(text))
    for place in sorted(rng.random() for _ in range(needles)):
        while written < place * length:
            parts.append(text[at % len(text)])
            at, written = at + 1, written + len(parts[-1]) + 1
        again = known and rng.random() < 0.6
        key = rng.choice(sorted(known) if again else KEYS)
        if not again or rng.random() < 0.1:
            known[key] = str(rng.randrange(10 ** (digits - 1), 10**digits))
        parts.append(sentence.replace("{key}", key).replace("{value}", known[key]))
    return " ".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, help="a .txt or .jsonl file, also .zst or .gz")
    parser.add_argument("--documents", type=int, default=40000)
    parser.add_argument("--bytes", type=int, default=900, help="of the longest documents, about")
    parser.add_argument("--digits", type=int, default=5)
    parser.add_argument("--needles", type=int, default=8, help="of a document, at most")
    parser.add_argument("--sentence", default="The number of the {key} is {value}.", help="a needle")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    try:
        text = sentences(args.text)
    except (OSError, subprocess.CalledProcessError, ValueError, KeyError) as error:
        sys.exit(f"needle_corpus.py: {args.text}: {error}")
    if not text:
        sys.exit(f"needle_corpus.py: {args.text}: there is no sentence in it")
    rng = random.Random(args.seed)
    unfinished = Path(f"{args.out}.unfinished")
    with unfinished.open("w") as out:
        for _ in range(args.documents):
            length = rng.randint(args.bytes // 2, args.bytes)
            text_of_it = document(rng, text, length, args.digits, rng.randint(2, args.needles), args.sentence)
            out.write(json.dumps({"text": text_of_it}) + "\n")
        out.flush()
        os.fsync(out.fileno())
    unfinished.replace(args.out)


main()
