"""Trains the models with the fathom program and reads what their runs wrote."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median


@dataclass
class Run:
    name: str
    folder: Path
    fields: dict
    active: int  # parameters that a token uses, without the input embedding
    parameters: int
    cache: int  # bytes a token, bf16
    compute: float  # operations of the training run, by formula
    seconds: float  # of its steps, at their median speed
    loss: float  # of the validation sequences, at the end
    curve: list  # (tokens, validation loss)
    metrics: list  # lines of metrics.jsonl with a loss


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value)


def recipe(scale, model, steps, data, out, device):
    """The recipe of a run, as text."""
    tables = {
        "model": {
            "vocab_size": scale.vocabulary, "max_position_embeddings": scale.sequence_length,
            "initializer_range": scale.initializer_range, **model.fields,
        },
        "data": {"train": str(data), "sequence_length": scale.sequence_length},
        "optimizer": {"lr": model.lr},
        "schedule": {"steps": steps, "warmup_steps": steps // 20, "decay": "cosine", "final_factor": 0.1},
        "batch": {"sequences": scale.sequences, "micro_batch": scale.micro_batch},
        "validation": {"every": max(steps // 8, 1), "sequences": scale.validation},
        "checkpoint": {"every": 0},
        "run": {"output": str(out), "device": device, "precision": scale.precision, "log_every": max(steps // 40, 1)},
    }  # fmt: skip
    return "\n".join(f"[{name}]\n" + "\n".join(f"{k} = {toml(v)}" for k, v in table.items()) + "\n" for name, table in tables.items())


def operations_per_token(info, fields, length):
    """Forward and backward: 6 for each active parameter, and the scores and sums of causal attention."""
    heads, layers = fields["num_attention_heads"], fields["num_hidden_layers"]
    head = fields.get("head_dim")
    columns = 2 * head if head else fields["qk_nope_head_dim"] + fields["qk_rope_head_dim"] + fields["v_head_dim"]
    return 6 * (info["active_parameters"] + layers * heads * (length + 1) / 2 * columns)


def run_program(program, *arguments, **environment):
    """What a program prints; its error ends everything."""
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={"OMP_WAIT_POLICY": "passive", **os.environ, **environment})
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}{done.stdout}")
    return done.stdout


class Trainer:
    def __init__(self, fathom, scale, data, folder, device):
        self.fathom, self.scale, self.data, self.folder, self.device = fathom, scale, data, folder, device

    def train(self, model, steps):
        """A run of this model, or the one that stands in its folder if it is of the same recipe."""
        out = self.folder / re.sub(r"\W+", "-", model.name.lower()).strip("-")
        text = recipe(self.scale, model, steps, self.data, out, self.device)
        config = out.with_suffix(".toml")
        if not (config.exists() and config.read_text() == text and (out / "model/config.json").exists()):
            config.unlink(missing_ok=True)
            fresh = config.with_suffix(".new.toml")
            fresh.write_text(text)
            shutil.rmtree(out, ignore_errors=True)
            print(f"  {model.name} ...", flush=True)
            run_program(self.fathom, "train", "--config", fresh)
            for checkpoint in out.glob("step-*"):  # to resume from; the model folder stays
                shutil.rmtree(checkpoint)
            fresh.rename(config)
        return self.read(model, steps, out)

    def read(self, model, steps, out):
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        with_loss = [line for line in lines if "loss" in line]
        per_step = self.scale.sequences * self.scale.sequence_length
        curve = [(line["step"] * per_step, line["validation_loss"]) for line in lines if "validation_loss" in line]
        info = json.loads(run_program(self.fathom, "info", "--json", out / "model"))
        cache = next(iter(info["kv_cache_bytes_per_token"].values()))
        cache *= 2 / {"f32": 4, "bf16": 2}[info["kv_cache_dtype"]]
        tokens = steps * per_step
        speed = median(line["tokens_per_second"] for line in with_loss[1:] if "tokens_per_second" in line)
        fields = json.loads((out / "model/config.json").read_text())
        return Run(
            model.name, out, fields, info["active_parameters"], info["parameters"], int(cache),
            tokens * operations_per_token(info, fields, self.scale.sequence_length), tokens / speed, curve[-1][1], curve, with_loss,
        )  # fmt: skip


def late_mean(run, key):
    """The mean of a metric over the last quarter of a run; None where it has none."""
    values = [line[key] for line in run.metrics[-(len(run.metrics) // 4 or 1) :] if key in line]
    return mean(values) if values else None
