#!/usr/bin/env python3
"""bench/alignment in its short form: every stage runs and leaves what it should, a run of GRPO that was stopped goes on to the same
end, and what was made is not made again. Not what the models can do: that takes minutes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FATHOM = os.environ["FATHOM"]
STAGES = ("base", "sft", "dpo", "reward", "grpo", "grpo-preference")
WATCHED = """reward reward_right kl entropy length truncated clipped_low clipped_high skipped_groups unscored engine_gap engine_gap_largest
experts_differing rollout_tokens_per_second rollout_seconds""".split()


def bench(folder):
    command = [sys.executable, ROOT / "bench/alignment", "--scale", "short", "--seeds", "1", "--threads", "1", "--out", folder]
    command += ["--fathom", FATHOM, "--batch-bench", os.environ["BATCH_BENCH"]]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def check_stages(seed):
    for stage in STAGES:
        assert (seed / stage / "model/config.json").exists(), stage
    metrics = lines_of(seed / "grpo/metrics.jsonl")
    steps = [line for line in metrics if "reward" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4], steps
    assert all(name in line for line in steps for name in WATCHED), steps[0]
    assert all("rollout_share" in line and 0 < line["rollout_share"] < 1 for line in steps[1:]), steps
    assert max(line["engine_gap_largest"] for line in steps) < 1e-2, "engine and training disagree"
    held_out = [line["step"] for line in metrics if "validation_reward" in line]
    assert held_out == [0, 2, 4], held_out
    answers = lines_of(seed / "grpo/rollouts.jsonl")
    assert len(answers) == 4 * 4 and all("User: What is" in row["prompt"] for row in answers), answers[:1]
    second = next(line for line in lines_of(seed / "grpo-preference/metrics.jsonl") if "reward" in line)
    weighted = second["reward_right"] + 0.1 * second["reward_preferred"] + second["reward_short"]
    assert abs(second["reward"] - weighted) < 1e-6, second
    for stage in ("dpo", "reward"):
        assert any("validation_accuracy" in line for line in lines_of(seed / stage / "metrics.jsonl")), stage


def check_results(folder):
    results = json.loads((folder / "alignment.json").read_text())
    assert set(results["right"]) == {"sft", "dpo", "grpo", "grpo-preference"}, results
    assert all(0 <= value <= 1 for values in results["right"].values() for value in values), results
    assert 0 < results["rollout"]["share"] < 1 and results["rollout"]["alone"] > 0, results
    text = (folder / "alignment.md").read_text()
    assert text.count("## ") == 5, text
    for name in ("accuracy", "grpo_held_out", "grpo_sampled", "grpo_length"):
        assert (folder / f"{name}.svg").read_text().rstrip().endswith("</svg>"), name
    page = (folder / "report.html").read_text()
    assert '"rollouts":[{"step":1' in page and "validation_reward" in page


def check_resume(seed):
    """Half of the run, and the other half: the weights of the whole one."""
    half = seed / "half"
    record = json.loads((seed / "grpo/bench.json").read_text())
    command = [FATHOM, *record["flags"], "--run.output", half]
    subprocess.run([*command, "--run.stop_at", "2"], check=True, capture_output=True)
    assert not (half / "model").exists()
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    weights = [(folder / "model/model.safetensors").read_bytes() for folder in (half, seed / "grpo")]
    assert weights[0] == weights[1], "the resumed run has other weights"
    rollouts = [[{k: v for k, v in row.items() if k != "time"} for row in lines_of(f / "rollouts.jsonl")] for f in (half, seed / "grpo")]
    assert rollouts[0] == rollouts[1], "the resumed run had other answers"
    shutil.rmtree(half)


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    bench(folder)
    check_stages(folder / "seed-1")
    check_results(folder)
    check_resume(folder / "seed-1")
    assert " ..." not in bench(folder), "what is there was made again"
print("the short form of bench/alignment made every stage")
