"""The stages from a base model to a chat model, as runs of the fathom program with the recipes of recipes/align-*.toml."""

import json
import shutil
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench/economy"))

from runs import run_program  # noqa: E402

COMMANDS = {"base": "train", "sft": "sft", "dpo": "dpo", "reward": "reward", "grpo": "grpo", "grpo-preference": "grpo"}
# What a stage needs of the others.
NEEDS = {"base": (), "sft": ("base",), "dpo": ("sft",), "reward": ("sft",), "grpo": ("sft",), "grpo-preference": ("grpo", "reward")}


class Run:
    """What a run left: its metrics by name, as (step, value)."""

    def __init__(self, folder, record):
        self.folder, self.seconds, self.ended, self.metrics = folder, record["seconds"], record["ended"], {}
        for line in map(json.loads, (folder / "metrics.jsonl").read_text().splitlines()):
            for name, value in line.items():
                self.metrics.setdefault(name, []).append((line["step"], value))

    def answers(self, part):
        """The recorded answers of some rollouts, a slice of all."""
        by_step = {}
        for line in map(json.loads, (self.folder / "rollouts.jsonl").read_text().splitlines()):
            by_step.setdefault(line["step"], []).append(line)
        return [answer for step in sorted(by_step)[part] for answer in by_step[step]]

    def first(self, name):
        return self.metrics[name][0][1]

    def last(self, name):
        return self.metrics[name][-1][1]

    def values(self, name):
        return [value for _, value in self.metrics[name]]


class Stages:
    """All runs of one seed, in a folder of their own. What stands there already is not run again."""

    def __init__(self, fathom, out, seed, keys, added):
        """keys: of a stage, instead of its recipe's; added: text at the end of recipes, by stage."""
        self.fathom, self.out, self.seed, self.keys, self.added = fathom, out, seed, keys, added
        self.folder, self.known = out / f"seed-{seed}", {}
        self.folder.mkdir(parents=True, exist_ok=True)

    def recipe(self, stage):
        """The recipe with this seed's folders, as a file to run it again with."""
        text = (ROOT / f"recipes/align-{stage}.toml").read_text()
        for name in ("data", "text"):
            text = text.replace(f"out/alignment/{name}", str(self.out / name))
        path = self.folder / f"{stage}.toml"
        path.write_text(text.replace("out/alignment", str(self.folder)) + self.added.get(stage, ""))
        return path

    def run(self, stage):
        if stage not in self.known:
            recipe = self.recipe(stage)
            keys = {"run.seed": self.seed, **self.keys(stage)}
            self.known[stage] = self.made(self.folder / stage, COMMANDS[stage], recipe, keys, NEEDS[stage])
        return self.known[stage]

    def right_answers(self, stage):
        """The share of the held-out questions that a stage's model answers: GRPO's own validation, in a run that learns nothing."""
        out, recipe = self.folder / f"{stage}-asked", self.recipe("grpo")
        keys = {
            **self.keys("grpo"), "model.init_from": self.folder / stage / "model", "run.output": out, "optimizer.lr": 0,
            "schedule.steps": 1, "batch.sequences": 1, "grpo.group": 2,
        }  # fmt: skip
        return self.made(out, "grpo", recipe, keys, (stage,)).first("validation_reward_right")

    def made(self, folder, command, recipe, keys, needs):
        """The run in a folder, made unless it is there, of the same recipe, keys and runs before it."""
        flags = [command, "--config", str(recipe)] + [part for key, value in keys.items() for part in (f"--{key}", str(value))]
        wanted = {"flags": flags, "recipe": recipe.read_text(), "needs": [self.run(need).ended for need in needs]}
        done = folder / "bench.json"
        record = json.loads(done.read_text()) if done.exists() else {}
        if wanted.items() <= record.items():
            return Run(folder, record)
        shutil.rmtree(folder, ignore_errors=True)
        print(f"  seed {self.seed}: {folder.name} ...", flush=True)
        start = time.monotonic()
        run_program(self.fathom, *flags)
        for checkpoint in folder.glob("step-*"):  # its optimizer's state takes six times the model's room
            shutil.rmtree(checkpoint)
        record = wanted | {"seconds": time.monotonic() - start, "ended": time.time()}
        done.write_text(json.dumps(record) + "\n")
        return Run(folder, record)


def prepare(fathom, out, corpus_flags):
    """The corpus of sums, and both texts as tokens of one tokenizer."""
    data, text = out / "data", out / "text"
    if (text / "sums/tokenizer.json").exists():
        return
    print("  preparing the data ...", flush=True)
    bible = ROOT / "data/kjv.jsonl.zst"
    run_program(sys.executable, ROOT / "tools/reasoning_corpus.py", "--out", data, *corpus_flags)
    run_program(fathom, "prepare", bible, data / "text.jsonl", "--train-tokenizer", 512, "--out", text / "both")
    run_program(fathom, "prepare", bible, "--tokenizer", text / "both", "--out", text / "kjv")
    run_program(fathom, "prepare", data / "text.jsonl", "--tokenizer", text / "both", "--out", text / "sums")
