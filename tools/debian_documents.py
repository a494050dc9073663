#!/usr/bin/env python3
"""Turns unpacked Debian packages of documentation and dictionaries into documents, one JSON object {"text": ...} a line, in the
order of a hash of their text, each text once.

  debian_documents.py FOLDER > documents.jsonl

Of a dictionary (usr/share/dictd/*.dict.dz) entries in a row, up to 4000 characters, are a document; every other text is one.
"""

import gzip
import hashlib
import json
import sys
from pathlib import Path

DOCUMENTS = (
    "usr/share/doc/*/Documentation/**/*.rst.gz", "usr/share/doc/*/html/_sources/**/*.rst.txt", "usr/share/perl/*/pod/*.pod",
    "usr/share/doc/anarchism/markdown/*.md*",
)  # fmt: skip
LONGEST_ENTRIES = 4000


def text_of(path):
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")


def entries(text):
    """Entries of a dictionary, some at a time."""
    some, length = [], 0
    for entry in text.split("\n\n"):
        if some and length + len(entry) > LONGEST_ENTRIES:
            yield "\n\n".join(some)
            some, length = [], 0
        some.append(entry)
        length += len(entry)
    yield "\n\n".join(some)


def documents(root):
    for pattern in DOCUMENTS:
        for path in root.glob(pattern):
            if path.is_file() and "_sources/Documentation" not in str(path):
                yield text_of(path)
    for path in root.glob("usr/share/dictd/*.dict.dz"):
        yield from entries(text_of(path))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    by_hash = {hashlib.sha256(text.encode()).digest(): text for text in documents(Path(sys.argv[1])) if text.strip()}
    for _, text in sorted(by_hash.items()):
        print(json.dumps({"text": text}, ensure_ascii=False))


main()
