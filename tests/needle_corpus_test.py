#!/usr/bin/env python3
"""tools/needle_corpus.py: the same seed writes the same file, numbers that stand there again are known, errors leave nothing."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent / "tools/needle_corpus.py"
FACT = re.compile(r"The number of the (\w+) is (\d+)\.")


def made(folder, name, *more):
    out = Path(folder) / name
    subprocess.run([TOOL, "--text", Path(folder) / "text.txt", "--documents", "50", "--out", out, *more], check=True)
    return out.read_text()


with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "text.txt").write_text("It rained all day. The sun shone at last.\nNobody saw it.\n" * 20)
    text = made(folder, "a.jsonl")
    assert text == made(folder, "b.jsonl")
    assert text != made(folder, "c.jsonl", "--seed", "2")
    again = 0
    for line in text.splitlines():
        facts = FACT.findall(json.loads(line)["text"])
        assert facts, line
        assert all(len(number) == 5 for _, number in facts), line
        again += len(facts) - len(set(facts))
    assert again >= 50, again
    left = sorted(path.name for path in Path(folder).iterdir())
    assert left == ["a.jsonl", "b.jsonl", "c.jsonl", "text.txt"], left
    wrong = subprocess.run([TOOL, "--text", f"{folder}/none.txt", "--out", f"{folder}/d.jsonl"], capture_output=True, text=True)
    assert wrong.returncode == 1 and "none.txt" in wrong.stderr and len(wrong.stderr.splitlines()) == 1, wrong.stderr
    assert not (Path(folder) / "d.jsonl").exists()
print("corpus of needles: as it should be")
sys.exit(0)
