"""The paper's economy, measured on models that one device trains in minutes (docs/reproduction.md has the results):

  compute      MoE with MLA against dense models on the same data: compute and time to the same validation loss
  tasks        the same models on a task: score against compute, and compute to the same score
  attention    MHA, GQA, MQA and MLA in one model: loss against bytes of cache (the paper's tables 8 and 9)
  balance      with and without each balance loss: load of the experts, dropped choices, loss
  generation   tokens a second of MoE with MLA and of the dense model of nearest loss, in one memory full of cache

  python3 bench/economy --scale gpu --corpus TEXT.jsonl.zst --out out/economy      on a GPU
  python3 bench/economy --scale cpu --out out/economy-short                        the short form, on two cores

Writes OUT/economy.md, economy.json and pictures. What is trained already is not trained again.
"""

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).resolve().parent))

from equal_quality import nearest, saving  # noqa: E402
from generation import generate  # noqa: E402
from models import SCALES, attention_models, balance_models  # noqa: E402
from picture import chart  # noqa: E402
from runs import Trainer, late_mean, run_program  # noqa: E402
from tables import table  # noqa: E402
from task_scores import make_items, score  # noqa: E402

PARTS = ("compute", "tasks", "attention", "balance", "generation")


def number(value, digits=3):
    return "-" if value is None else f"{value:.{digits}g}"


def in_millions(count):
    return f"{count / 1e6:.1f}M"


class Economy:
    def __init__(self, args):
        self.args, self.scale, self.out = args, SCALES[args.scale], args.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.text, self.results, self.known = [], {"scale": args.scale}, {}
        self.trainer = Trainer(args.fathom, self.scale, args.data or self.prepared(), self.out / "runs", args.device)
        (self.out / "runs").mkdir(exist_ok=True)

    def prepared(self):
        data = self.out / "data"
        if not (data / "tokenizer.json").exists():
            print("  preparing the text ...", flush=True)
            flags = ("--train-tokenizer", self.scale.vocabulary, "--validation", 0.01, "--out", data)
            run_program(self.args.fathom, "prepare", *self.args.corpus, *flags)
        return data

    def run(self, model, steps=None):
        """The run of a model, trained once."""
        if model.name not in self.known:
            self.known[model.name] = self.trainer.train(model, steps or self.scale.steps)
        return self.known[model.name]

    def picture(self, name, *chart_arguments, **options):
        (self.out / f"{name}.svg").write_text(chart(*chart_arguments, **options))

    def section(self, title, *paragraphs):
        self.text.append("\n".join([f"## {title}\n", *paragraphs]))

    # (a)
    def compute(self):
        moe, dense = [self.run(m) for m in self.scale.moe], [self.run(m) for m in self.scale.dense]
        rows = [
            (r.name, in_millions(r.parameters), in_millions(r.active), number(r.compute), f"{r.seconds:.1f}", f"{r.loss:.4f}")
            for r in dense + moe
        ]
        saved = []
        for run in moe:
            compute, within = saving(run, dense, lambda r: r.compute)
            seconds, _ = saving(run, dense, lambda r: r.seconds)
            sign = "" if within else "beyond the dense models; against the nearest: "
            saved.append((run.name, f"{run.loss:.4f}", f"{sign}{compute:.1%}", f"{sign}{seconds:.1%}"))
            self.results.setdefault("compute", {})[run.name] = {"compute": compute, "time": seconds, "within": within, "loss": run.loss}
        self.section(
            "Compute to the same loss",
            table(("model", "parameters", "active", "operations", "seconds", "validation loss"), rows),
            table(("model", "validation loss", "compute saved", "time saved"), saved),
        )
        for name, label, cost in (("compute", "operations", lambda r: r.compute), ("time", "seconds of training", lambda r: r.seconds)):
            series = [("dense", sorted((cost(r), r.loss) for r in dense), True), ("MoE + MLA", sorted((cost(r), r.loss) for r in moe), True)]
            self.picture(f"loss_{name}", f"Validation loss against {label}", label, "validation loss", series, log_x=True)
        curves = [(r.name, r.curve, True) for r in dense + moe]
        self.picture("loss_tokens", "Validation loss while training", "tokens", "validation loss", curves)

    # (b)
    def tasks(self):
        items = make_items(self.args.corpus, self.scale, self.out / "tasks")
        moe, dense = [self.run(m) for m in self.scale.moe], [self.run(m) for m in self.scale.dense]
        scores = {r.name: score(self.args.fathom, r, items, self.out / "scores" / r.folder.name, self.args.device) for r in dense + moe}
        rows = []
        for run in dense + moe:
            s = scores[run.name]
            rows.append((run.name, number(run.compute), f"{run.loss:.4f}", f"{100 * s.mean:.1f}", f"{100 * s.low:.1f} to {100 * s.high:.1f}"))
        saved = []
        for run in moe:
            compute, within = saving(run, dense, lambda r: r.compute, lambda r: -scores[r.name].mean)
            sign = "" if within else "beyond the dense models; against the nearest: "
            saved.append((run.name, f"{100 * scores[run.name].mean:.1f}", f"{sign}{compute:.1%}"))
        self.results["tasks"] = {r.name: vars(scores[r.name]) | {"loss": r.loss} for r in dense + moe}
        self.section(
            "Quality on a task",
            table(("model", "operations", "validation loss", "right of 100", "95%"), rows),
            table(("model", "right of 100", "compute saved at that score"), saved),
        )
        series = [
            (label, sorted((r.compute, 100 * scores[r.name].mean) for r in runs), True) for label, runs in (("dense", dense), ("MoE + MLA", moe))
        ]
        self.picture("task_compute", "Right continuations against operations", "operations", "right of 100", series, log_x=True)

    # (c)
    def attention(self):
        runs = [self.run(m) for m in attention_models(self.scale)]
        rows = [
            (r.name, in_millions(r.active), f"{r.cache:,}", f"{r.cache / runs[0].cache:.1%}", f"{r.loss:.4f}", f"{r.seconds:.1f}") for r in runs
        ]
        self.section("Attention: loss against cache", table(("model", "active", "cache, bytes a token", "of MHA's", "validation loss", "seconds"), rows))
        self.results["attention"] = {r.name: {"cache": r.cache, "loss": r.loss, "active": r.active} for r in runs}
        series = [(r.name, [(r.cache, r.loss)], False) for r in runs]
        self.picture("attention", "Validation loss against cache", "bytes of cache a token, bf16", "validation loss", series, log_x=True)

    # (d)
    def balance(self):
        rows = []
        for model in balance_models(self.scale):
            run = self.run(model, self.scale.balance_steps)
            metrics = {key: late_mean(run, key) for key in ("expert_load", "group_load", "dropped")}
            self.results.setdefault("balance", {})[run.name] = metrics | {"loss": run.loss}
            rows.append((run.name, *(number(value) for value in metrics.values()), f"{run.loss:.4f}"))
        self.section(
            "Balance losses",
            "Load: choices of the busiest expert (or group of experts) over the average one's, of the worst layer; dropped: share of all\n"
            "choices. Both over the last quarter of the run.\n",
            table(("model", "load of experts", "load of groups", "dropped", "validation loss"), rows),
        )

    # (e)
    def generation(self):
        moe = self.run(self.scale.moe[-1])
        peer = nearest(moe, [self.run(m) for m in self.scale.dense])
        made = [(r, generate(r, self.scale, self.args.batch_bench, self.out, self.args.device)) for r in (peer, moe)]
        first = made[0][1].tokens_per_second
        rows = [
            (r.name, f"{r.loss:.4f}", f"{r.cache:,}", g.sequences, f"{g.tokens_per_second:,.0f}", f"{g.share_of_bound:.0%}", f"{g.tokens_per_second / first:.2f}x")
            for r, g in made
        ]  # fmt: skip
        self.results["generation"] = {r.name: {"sequences": g.sequences, "tokens_per_second": g.tokens_per_second} for r, g in made}
        self.section(
            f"Generation with {self.scale.context:,} tokens of context, {self.scale.memory / 1e9:.3g} GB of weights and cache in bf16",
            table(("model", "validation loss", "cache, bytes a token", "sequences", "tokens/s", "of the memory's bound", "ratio"), rows),
        )

    def write(self):
        (self.out / "economy.json").write_text(json.dumps(self.results, indent=2) + "\n")
        (self.out / "economy.md").write_text("\n".join(self.text))
        print(self.text[-1], flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/economy", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="cpu")
    parser.add_argument("--device", help="that trains and generates; by default cuda for the scale gpu")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--corpus", nargs="+", default=[str(p) for p in sorted((ROOT / "data").glob("*.jsonl.zst"))], help="text for fathom prepare")
    parser.add_argument("--data", type=Path, help="a prepared folder instead, of the scale's vocabulary")
    parser.add_argument("--out", type=Path, default=ROOT / "out/economy")
    parser.add_argument("--fathom", default=str(ROOT / "build/cpu/fathom"))
    parser.add_argument("--batch-bench", default=str(ROOT / "build/cpu/bench/batch_bench"))
    args = parser.parse_args()
    args.device = args.device or ("cuda" if args.scale == "gpu" else "cpu")
    parts = args.parts.split(",")
    for part in parts:
        if part not in PARTS:
            parser.error(f"--parts: '{part}' is not one of {', '.join(PARTS)}")
    start = time.monotonic()
    economy = Economy(args)
    for part in parts:
        print(f"{part}:", flush=True)
        getattr(economy, part)()
        economy.write()
    print(f"{time.monotonic() - start:.0f} s in all")


main()
