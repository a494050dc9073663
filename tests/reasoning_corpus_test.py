#!/usr/bin/env python3
"""tools/reasoning_corpus.py: the same seed writes the same files, sums are right where they say so, nothing held out is trained on."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

TOOL = Path(__file__).resolve().parent.parent / "tools/reasoning_corpus.py"
SUM = re.compile(r"What is ([0-9+-]+)\?")


def made(folder, *more):
    small = ["--documents", "200", "--conversations", "300", "--questions", "100", "--preferences", "200", "--held-out", "60"]
    subprocess.run([sys.executable, TOOL, *small, *more, "--out", folder], check=True)
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def rows(text):
    return [json.loads(line) for line in text.splitlines()]


def answer(text):
    return int(re.fullmatch(r".*The answer is (\d+)\.", text)[1])


def value(text):
    return eval(text, {"__builtins__": {}})  # of digits, + and - alone: SUM's


def steps_hold(text):
    """Whether every part of "7+5-3=12-3=9" has the same value."""
    return len({value(part) for part in text.split("=")}) == 1


def check_text(files):
    for row in rows(files["text.jsonl"]):
        worked = re.findall(r"[0-9+-]+(?:=[0-9+-]+)+", row["text"])
        assert worked and all(steps_hold(steps) and "+-" not in steps for steps in worked), row


def check_conversations(files):
    right = at_once = 0
    for row in rows(files["chat.jsonl"]):
        question, reply = (message["content"] for message in row["messages"])
        right += answer(reply) == value(SUM.fullmatch(question)[1])
        at_once += reply.startswith("The answer")
    count = len(rows(files["chat.jsonl"]))
    assert count == 300 and 0.45 * count < at_once < 0.75 * count and 0.8 * count < right < count, (at_once, right)
    for name in ("questions.jsonl", "held_out.jsonl"):
        for row in rows(files[name]):
            assert int(row["answer"]) == value(SUM.fullmatch(row["messages"][0]["content"])[1]), row


def check_preferences(files):
    for name in ("preferences.jsonl", "preferences_held_out.jsonl"):
        for row in rows(files[name]):
            total = value(SUM.fullmatch(row["prompt"])[1])
            assert answer(row["chosen"]) == total and steps_hold(row["chosen"].split(". ")[0]), row
            rejected = row["rejected"]
            assert answer(rejected) != total or rejected.startswith("The answer"), row
            assert row["chosen"] != rejected and "-" not in rejected.split("=")[-1], row


def check_held_out(files):
    held_out = set(SUM.findall(files["held_out.jsonl"]))
    assert len(held_out) == 60 and set(SUM.findall(files["preferences_held_out.jsonl"])) == held_out
    for name, text in files.items():
        if "held_out" not in name:
            assert SUM.findall(text), name
            assert not any(asked.startswith(tuple(held_out)) for asked in SUM.findall(text)), name


with tempfile.TemporaryDirectory() as folder:
    files = made(Path(folder) / "a")
    assert len(files) == 6, sorted(files)
    assert files == made(Path(folder) / "b")
    assert files != made(Path(folder) / "c", "--seed", "2")
    for check in (check_text, check_conversations, check_preferences, check_held_out):
        check(files)
        check(made(Path(folder) / "d", "--shortest", "2", "--longest", "5", "--seed", "3"))
    wrong = subprocess.run([sys.executable, TOOL, "--out", "/dev/null/a"], capture_output=True, text=True)
    assert wrong.returncode == 1 and len(wrong.stderr.splitlines()) == 1 and "/dev/null" in wrong.stderr, wrong.stderr
print("corpus of sums: as it should be")
