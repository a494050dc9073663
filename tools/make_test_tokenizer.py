#!/usr/bin/env python3
"""Builds a Hugging Face tokenizer.json (zstd-compressed) for the tests from a vocabulary-only GGUF file.

usage: make_test_tokenizer.py ggml-vocab-deepseek-llm.gguf[.xz] pretokenizer_regexes.json KEY OUT.json.zst

KEY is the entry of the regex list ("deepseek-llm (DeepSeek-LLM, ...)" may be given by its first word). Needs
only Python and the `zstd` program. Tokens of type 1 make the vocabulary, types 3 (special) and 4 the added
tokens; padding is left out.
"""
import json
import lzma
import struct
import subprocess
import sys

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def gguf_metadata(data):
    """The key-value part of a GGUF 3 file."""
    position = 8

    def scalar(fmt):
        nonlocal position
        (value,) = struct.unpack_from("<" + fmt, data, position)
        position += struct.calcsize("<" + fmt)
        return value

    def text():
        nonlocal position
        length = scalar("Q")
        position += length
        return data[position - length:position].decode()

    def value(kind):
        if kind == 8:
            return text()
        if kind == 9:
            item, count = scalar("I"), scalar("Q")
            return [value(item) for _ in range(count)]
        return scalar(SCALARS[kind])

    scalar("Q")  # tensors
    metadata = {}
    for _ in range(scalar("Q")):
        key = text()
        metadata[key] = value(scalar("I"))
    return metadata


def split(pattern):
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def pre_tokenizer(patterns):
    steps = [split(p) for p in patterns if p not in (r"\p{N}+", r"\p{N}")]
    if len(steps) < len(patterns):  # the files of Hugging Face write the digit step like this
        steps.append({"type": "Digits", "individual_digits": True})
    steps.append({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False})
    return {"type": "Sequence", "pretokenizers": steps}


def added_tokens(tokens, kinds):
    return [{"id": i, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": kinds[i] == 4, "special": kinds[i] == 3}
            for i, token in enumerate(tokens) if kinds[i] in (3, 4) and not token.startswith("[PAD")]


def main():
    source, regexes, key, out = sys.argv[1:]
    data = lzma.open(source).read() if source.endswith(".xz") else open(source, "rb").read()
    metadata = gguf_metadata(data)
    patterns = next(v for k, v in json.load(open(regexes)).items() if k.split(" ")[0] == key)
    tokens, kinds = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": added_tokens(tokens, kinds),
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": pre_tokenizer(patterns),
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False,
                           "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "vocab": {t: i for i, t in enumerate(tokens) if kinds[i] == 1},
                  "merges": metadata["tokenizer.ggml.merges"]}}
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    packed = subprocess.run(["zstd", "--ultra", "-22", "-c", f"--stream-size={len(text.encode())}"],
                            input=text.encode(), stdout=subprocess.PIPE,
                            check=True).stdout
    open(out, "wb").write(packed)
    print(f"{out}: {len(text.encode())} bytes, {len(packed)} packed")


if __name__ == "__main__":
    main()
