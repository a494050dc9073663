#!/usr/bin/env python3
"""The rows of bench/text for Hugging Face's tokenizers: tokenizers_encode.py TOKENIZER_JSON TEXT

Encodes on one thread, in blocks of whole lines; the ids are fetched, since they are what a caller wants.
"""
import os
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, pre_tokenizers, trainers, models  # noqa: E402


def row(name, size, seconds, note):
    print(f"{name:<28}{seconds:9.2f} s{size / seconds / 1e6:10.1f} MB/s   {note}")


def blocks(text, size):
    out, block, length = [], [], 0
    for line in text.splitlines(keepends=True):
        block.append(line)
        length += len(line)
        if length >= size:
            out.append("".join(block))
            block, length = [], 0
    return out + ["".join(block)] if block else out


def main():
    path, text_path = sys.argv[1:3]
    start = time.perf_counter()
    tokenizer = Tokenizer.from_file(path)
    print(f"load {time.perf_counter() - start:.3f} s")
    text = open(text_path, encoding="utf-8", errors="replace", newline="").read()
    size = len(text.encode())
    for block in (1, 4096, 1 << 20):
        parts = blocks(text, block)
        start = time.perf_counter()
        ids = sum(len(tokenizer.encode(part, add_special_tokens=False).ids) for part in parts)
        name = "encode, a line each" if block == 1 else f"encode, {block} bytes each"
        row(name, size, time.perf_counter() - start, f"{ids} ids")
    for name, worst in (("1 MB of 'a'", "a"), ("1 MB of spaces", " "), ("1 MB of '='", "=")):
        start = time.perf_counter()
        ids = tokenizer.encode(worst * (1 << 20), add_special_tokens=False).ids
        row(name, 1 << 20, time.perf_counter() - start, f"{len(ids)} ids")
    if "--train" in sys.argv:
        os.environ["TOKENIZERS_PARALLELISM"] = "true"
        fresh = Tokenizer(models.BPE())
        fresh.pre_tokenizer = tokenizer.pre_tokenizer
        trainer = trainers.BpeTrainer(vocab_size=8190, min_frequency=2, show_progress=False,
                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
        start = time.perf_counter()
        fresh.train_from_iterator(text.splitlines(keepends=True), trainer)
        row("train 8192 tokens", size, time.perf_counter() - start, f"{os.cpu_count()} threads")


if __name__ == "__main__":
    main()
