#!/usr/bin/env python3
"""bench/economy in its short form: every part of it is made, caches have the bytes of their formulas, and its arithmetic of equal
loss holds for curves that are known."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/economy"))
from equal_quality import nearest, saving  # noqa: E402


def check_arithmetic():
    cost = lambda run: run.cost
    dense = [SimpleNamespace(loss=5 - 0.5 * n, cost=10.0**n) for n in range(4)]
    half = SimpleNamespace(loss=4.25, cost=10.0)  # between 10 and 100 on a log scale: 10 ^ 1.5
    share, within = saving(half, dense, cost)
    assert within and math.isclose(share, 1 - 10 / 10**1.5), share
    share, within = saving(SimpleNamespace(loss=3.0, cost=500.0), dense, cost)
    assert not within and math.isclose(share, 0.5), share
    share, within = saving(half, dense, cost, lambda run: -10 + run.loss)  # any measure of which lower is better
    assert within and math.isclose(share, 1 - 10 / 10**1.5), share
    assert nearest(SimpleNamespace(loss=4.3), dense).cost == 10.0


def check_results(folder):
    results = json.loads((folder / "economy.json").read_text())
    uniform = math.log(1024)  # the loss of a model that knows nothing
    assert len(results["compute"]) == 2
    for part in ("compute", "attention", "balance"):
        assert all(run["loss"] < uniform for run in results[part].values()), (part, results[part])
    # 3 layers in bf16: 8 heads of 16 + 16, 2 of them, 1, and a latent of 64 + 8.
    caches = [run["cache"] for run in results["attention"].values()]
    assert caches == [2 * 3 * n for n in (8 * 32, 2 * 32, 32, 64 + 8)], caches
    loads = {name: run["expert_load"] for name, run in results["balance"].items()}
    assert len(loads) == 5 and loads["without any"] > 1.2 * loads["all three losses"], loads
    assert all(run["tokens_per_second"] > 0 and run["sequences"] > 1 for run in results["generation"].values())
    scores = results["tasks"]
    assert len(scores) == 5 and all(0 <= s["low"] <= s["mean"] <= s["high"] <= 1 for s in scores.values()), scores
    records = [json.loads(line) for line in next((folder / "scores").glob("moe-mla-m/*.jsonl")).open()]
    assert len(records) > 40 and all("not_run" not in r for r in records), len(records)
    text = (folder / "economy.md").read_text()
    assert text.count("## ") == 5, text
    for name in ("loss_compute", "task_compute", "loss_time", "loss_tokens", "attention"):
        assert (folder / f"{name}.svg").read_text().rstrip().endswith("</svg>"), name


check_arithmetic()
with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, ROOT / "bench/economy", "--scale", "cpu", "--out", folder]
    command += ["--fathom", os.environ["FATHOM"], "--batch-bench", os.environ["BATCH_BENCH"]]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    check_results(Path(folder))
print("the short form of bench/economy made every table")
