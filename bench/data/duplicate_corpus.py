#!/usr/bin/env python3
"""Writes a large corpus of which is known what `fathom prepare --near-duplicates 0.8` must leave out.

    bench/data/duplicate_corpus.py OUT --gigabytes 10 --text FILE...

A document is 16 sentences of the texts, drawn by its number. Of 20 documents one is a copy of an earlier one, one a copy
with two words put in (a similarity of about 0.94), and one has half of its sentences from an earlier one (about 0.33), which
must stay. The same arguments give the same bytes; what was planted is printed.
"""
import argparse
import json
import pathlib
import random
import re

SENTENCES = 16
FILE_BYTES = 1 << 30


def sentences_of(paths):
    found = {}
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        for sentence in re.split(r"(?<=[.!?])\s+|\n\s*\n", text):
            sentence = " ".join(sentence.split())
            if 60 <= len(sentence) <= 300:
                found.setdefault(json.dumps(sentence, ensure_ascii=False)[1:-1])
    return list(found)


def drawn(number, sentences, count=SENTENCES):
    source = random.Random(number)
    return [sentences[int(source.random() * len(sentences))] for _ in range(count)]


def document(number, sentences):
    """Its kind and its sentences."""
    kind = {5: "copies", 10: "near copies", 15: "half copies"}.get(number % 20, "others")
    if kind == "others" or number < 20:
        return "others", drawn(number, sentences)
    # An earlier document that is no copy itself.
    earlier = random.Random(-number).randrange(number // 5) * 5 + 1
    parts = drawn(earlier, sentences)
    if kind == "near copies":
        for at in (4, 12):
            parts.insert(at, f"inserted{number}")
    if kind == "half copies":
        parts[SENTENCES // 2 :] = drawn(number, sentences, SENTENCES // 2)
    return kind, parts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path, help="folder for part-000.jsonl and so on")
    parser.add_argument("--gigabytes", type=float, default=10)
    parser.add_argument("--text", type=pathlib.Path, nargs="+", required=True)
    args = parser.parse_args()
    sentences = sentences_of(args.text)
    if len(sentences) < 10000:
        parser.error(f"only {len(sentences)} different sentences of 60 to 300 characters: documents would be alike by chance")
    args.out.mkdir(parents=True, exist_ok=True)
    counts, number, written = {}, 0, 0
    while written < args.gigabytes * 1e9:
        with open(args.out / f"part-{written // FILE_BYTES:03}.jsonl", "wb") as file:
            end = (written // FILE_BYTES + 1) * FILE_BYTES
            while written < min(end, args.gigabytes * 1e9):
                kind, parts = document(number, sentences)
                written += file.write(('{"text": "' + " ".join(parts) + '"}\n').encode())
                counts[kind] = counts.get(kind, 0) + 1
                number += 1
    print(f"{len(sentences)} sentences, {number} documents: " + json.dumps(counts))


if __name__ == "__main__":
    main()
