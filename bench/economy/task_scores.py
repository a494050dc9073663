"""Scores of trained models on the task `continuation`, whose items are made of the text that fathom prepare set aside."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from runs import run_program

ROOT = Path(__file__).resolve().parents[2]
METRIC = "unconditional"


@dataclass
class Score:
    mean: float
    low: float  # 95%
    high: float


def make_items(corpus, scale, folder):
    """OUT/tasks, as fathom eval wants it."""
    if not (folder / "continuation/test.jsonl").exists():
        run_program(
            sys.executable, ROOT / "tools/continuation_items.py", *corpus, "--validation", 0.01, "--items", scale.items,
            "--context", scale.passage, "--longest", scale.answer_length, "--same-document", "--out", folder / "continuation/test.jsonl",
        )  # fmt: skip
    return folder


def score(fathom, run, items, out, device):
    """Of a run's model; measured once, with a record of every item in OUT."""
    if not (out / "continuation.result.json").exists():
        run_program(fathom, "eval", run.folder / "model", "--task", "continuation", "--data", items, "--out", out, "--device", device, "--resume")
    result = json.loads((out / "continuation.result.json").read_text())
    average = next(a for a in result["averages"] if a["metric"] == METRIC and a["over"] == "items")
    return Score(average["value"], average["low"], average["high"])
