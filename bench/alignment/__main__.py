"""From a base model to a chat model on two cores, as docs/alignment.md tells it: pretraining, SFT, DPO, a reward model, GRPO with a
verifiable reward, and a second stage of GRPO with the reward model beside it. Every stage is a run of the fathom program.

  python3 bench/alignment --out out/alignment-bench

  python3 bench/alignment --scale gpu --out out/alignment-gpu --fathom build/cuda/fathom

goes from the base model to GRPO on a GPU, with a model of the shape of recipes/moe-1b.toml.

Writes OUT/alignment.md, alignment.json, report.html and pictures. What is trained already is not trained again.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).resolve().parent))

from scales import SCALES  # noqa: E402
from stages import COMMANDS, ROOT, Stages, prepare, run_program  # noqa: E402
from picture import bars, chart  # noqa: E402
from tables import table  # noqa: E402

def percent(value):
    return f"{100 * value:.1f}%"


class Alignment:
    def __init__(self, args):
        self.args, self.out, self.text, self.results = args, args.out, [], {}
        self.out.mkdir(parents=True, exist_ok=True)
        self.scale = SCALES[args.scale]()
        prepare(args.fathom, self.out, self.scale.corpus)
        self.seeds = [Stages(args.fathom, self.out, seed, self.keys, self.scale.added) for seed in args.seeds]

    def keys(self, stage):
        return {"run.threads": self.args.threads, **self.scale.keys_of(stage)}

    def section(self, title, *paragraphs):
        self.text.append("\n".join([f"## {title}\n", *paragraphs]))

    def accuracy(self):
        """Of each seed and stage: the share of right answers to held-out questions, the most likely ones."""
        right = {stage: [seed.right_answers(stage) for seed in self.seeds] for stage in self.scale.asked}
        gains = [grpo - sft for sft, grpo in zip(right["sft"], right["grpo"])]
        self.results["right"], self.results["gain"] = right, gains
        rows = [(stage, *map(percent, values), percent(mean(values))) for stage, values in right.items()]
        rows.append(("grpo over sft, points", *(f"{100 * g:.1f}" for g in gains), f"{100 * mean(gains):.1f}"))
        names = [f"seed {seed.seed}" for seed in self.seeds]
        self.section("Right answers to held-out questions", table(("model", *names, "mean"), rows))
        groups = [(stage, values) for stage, values in right.items()]
        self.picture("accuracy", bars("Right answers to held-out questions", "share", names, groups))

    def sampled(self):
        """What GRPO sampled at its begin and at its end: how much is right, how much worked out, and how much of that is right."""
        rows = []
        for which, part in (("first", slice(None, 10)), ("last", slice(-10, None))):
            ends = {"right": [mean(seed.run("grpo").values("reward_right")[part]) for seed in self.seeds]}
            shown = [seed.run("grpo").answers(part) for seed in self.seeds]  # of one question a rollout
            steps = [[answer for answer in answers if "=" in answer["answer"]] for answers in shown]
            ends["worked out"] = [len(some) / len(all_) for some, all_ in zip(steps, shown)]
            ends["right of those worked out"] = [mean(a["parts"]["right"] for a in some) if some else 0.0 for some in steps]
            self.results[f"sampled_{which}"] = ends
            rows += [(f"{what}, {which} ten rollouts", *map(percent, values), percent(mean(values))) for what, values in ends.items()]
        self.section("Answers that GRPO sampled", table(("share", *(f"seed {seed.seed}" for seed in self.seeds), "mean"), rows))

    def curves(self):
        runs = [(f"seed {seed.seed}", seed.run("grpo")) for seed in self.seeds]
        for name, title, metric in (
            ("held_out", "GRPO: right answers to held-out questions", "validation_reward_right"),
            ("sampled", "GRPO: right answers among the sampled ones", "reward_right"),
            ("length", "GRPO: length of sampled answers", "length"),
        ):
            series = [(label, run.metrics[metric], True) for label, run in runs]
            self.picture(f"grpo_{name}", chart(title, "step", "tokens" if name == "length" else "share", series))

    def preferences(self):
        """Reward models and DPO, by the pairs held out."""
        if not self.scale.preferences:
            return
        rows = []
        for stage in self.scale.preferences:
            runs = [seed.run(stage) for seed in self.seeds]
            values = [run.last("validation_accuracy") for run in runs]
            self.results[f"{stage}_accuracy"] = values
            rows.append((stage, *map(percent, values), *(f"{run.last('validation_margin'):.2f}" for run in runs)))
        names = [f"{what}, seed {seed.seed}" for what in ("right", "margin") for seed in self.seeds]
        self.section("Held-out preferences", table(("run", *names), rows))

    def times(self):
        """Where the time goes; the engine in rollouts against the engine alone, with answers of the same lengths."""
        rows = []
        for stage in COMMANDS:
            if stage in self.seeds[0].known:
                rows.append((stage, *(f"{seed.run(stage).seconds:.0f}" for seed in self.seeds)))
        self.results["seconds"] = {row[0]: [float(s) for s in row[1:]] for row in rows}
        self.section("Seconds", table(("stage", *(f"seed {seed.seed}" for seed in self.seeds)), rows))
        run = self.seeds[0].run("grpo")
        shares = run.values("rollout_share")
        length = median(run.values("length")[len(shares) // 2 :])
        fastest, alone = max(run.values("rollout_tokens_per_second")), max(self.engine_alone(run, length) for _ in range(5))
        self.results["rollout"] = {"share": median(shares), "tokens_per_second": fastest, "alone": alone}
        rows = [
            ("share of the rollout in a step, median", percent(median(shares))),
            ("sampled tokens/s of the fastest rollout, its prompts read", f"{fastest:,.0f}"),
            (f"tokens/s of batch_bench with as many answers of {length:.0f} tokens, best of five", f"{alone:,.0f}"),
            ("the engine in a rollout against that", percent(fastest / alone)),
            ("largest gap of a log-probability between engine and training", f"{max(run.values('engine_gap_largest')):.2g}"),
            ("share of the experts that training would choose otherwise, highest", f"{max(run.values('experts_differing')):.2g}"),
        ]
        self.section("Rollouts, seed " + str(self.seeds[0].seed), table(("what", ""), rows))

    def engine_alone(self, run, length):
        """New tokens a second by batch_bench's pure rates, where it reads as many prompts and then decodes as many answers."""
        recipe = json.loads((run.folder / "run.json").read_text())["recipe"]
        answers = min(recipe["batch.sequences"] * recipe["grpo.group"], recipe["grpo.sequences_at_once"])
        prompt = json.loads((run.folder / "rollouts.jsonl").read_text().splitlines()[0])["prompt"]
        tokens = len(run_program(self.args.fathom, "tokenize", run.folder / "model", "--text", prompt).split())
        threads = {"OMP_NUM_THREADS": str(self.args.threads)} if self.args.threads else {}
        load = f"{answers}x{tokens}+{length:.0f}"
        printed = run_program(self.args.batch_bench, run.folder / "model/config.json", self.scale.precision, self.scale.device, 0, load, **threads)
        rates = [re.search(rf"{what} (\d+) tokens/s", printed) for what in ("prefill", "decode")]
        if not all(rates):
            sys.exit(f"alignment: batch_bench printed no rates:\n{printed}")
        prefill, decode = (float(rate[1]) for rate in rates)
        return length / (tokens / prefill + (length - 1) / decode)  # the first token of each comes with its prompt

    def picture(self, name, svg):
        (self.out / f"{name}.svg").write_text(svg)

    def report(self):
        runs = [seed.run("grpo").folder for seed in self.seeds]
        run_program(self.args.fathom, "report", *runs, "--out", self.out / "report.html")

    def write(self):
        (self.out / "alignment.json").write_text(json.dumps(self.results, indent=2) + "\n")
        (self.out / "alignment.md").write_text("\n".join(self.text))


def main():
    parser = argparse.ArgumentParser(prog="bench/alignment", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of weights, order and sampling")
    parser.add_argument("--threads", type=int, default=0, help="of a run; 0: all of the machine")
    parser.add_argument("--scale", choices=SCALES, default="cpu", help="short: a few steps of everything, the mechanics and not the result")
    parser.add_argument("--out", type=Path, default=ROOT / "out/alignment-bench")
    parser.add_argument("--fathom", default=str(ROOT / "build/cpu/fathom"))
    parser.add_argument("--batch-bench", default=str(ROOT / "build/cpu/bench/batch_bench"))
    args = parser.parse_args()
    start = time.monotonic()
    alignment = Alignment(args)
    for part in (alignment.accuracy, alignment.sampled, alignment.curves, alignment.preferences, alignment.times, alignment.report):
        part()
        alignment.write()
    print("\n".join(alignment.text))
    print(f"{time.monotonic() - start:.0f} s in all")


main()
