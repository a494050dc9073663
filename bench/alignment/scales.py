"""What the stages are run with: as their recipes say, a few steps of everything, or a larger model on a GPU."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Scale:
    """keys: of a stage, instead of its recipe's; added: text at the end of recipes, by stage; corpus: flags of reasoning_corpus.py."""

    keys: dict = field(default_factory=dict)
    added: dict = field(default_factory=dict)
    corpus: tuple = ()
    asked: tuple = ("sft", "dpo", "grpo", "grpo-preference")  # whose right answers are counted
    preferences: tuple = ("reward", "dpo")
    device: str = "cpu"
    precision: str = "f32"

    def keys_of(self, stage):
        return {"run.device": self.device, "run.precision": self.precision, **self.keys.get(stage, {})}


# The mechanics of every stage, in a minute. Nothing is right after so few steps, and equal rewards teach nothing: some answers are
# better by their length.
SHORT_REWARD = '''
[[grpo.reward]]
name = "short"
kind = "length"
target = 8
width = 8
'''
SHORT_ANSWERS = {"validation.every": 2, "grpo.group": 4, "grpo.max_tokens": 24}
SHORT = Scale(
    keys={
        "base": {"schedule.steps": 30, "validation.every": 30},
        "sft": {"run.epochs": 1},
        "dpo": {"validation.every": 0},
        "reward": {"validation.every": 0},
        "grpo": {"schedule.steps": 4, **SHORT_ANSWERS},
        "grpo-preference": {"schedule.steps": 2, **SHORT_ANSWERS},
    },
    added={"grpo": SHORT_REWARD, "grpo-preference": SHORT_REWARD},
    corpus=("--documents", 600, "--conversations", 200, "--questions", 100, "--preferences", 120, "--held-out", 24),
)


def gpu():
    """The shape of recipes/moe-1b.toml with the small vocabulary, in bf16. Base model, fine-tuning, and GRPO with the verifiable reward."""
    shape = tomllib.loads((ROOT / "recipes/moe-1b.toml").read_text())["model"]
    model = {f"model.{key}": value for key, value in shape.items() if key != "vocab_size"}
    base = {
        "schedule.steps": 600, "batch.sequences": 64, "batch.micro_batch": 64, "optimizer.lr": 3e-4, "model.initializer_range": 0.02,
        "validation.every": 200,
    }  # fmt: skip
    return Scale(
        keys={
            "base": model | base,
            "sft": {"optimizer.lr": 5e-5, "batch.sequences": 16, "batch.micro_batch": 16},
            "grpo": {"optimizer.lr": 5e-6, "batch.micro_batch": 64, "schedule.steps": 60},
        },
        asked=("sft", "grpo"),
        preferences=(),
        device="cuda",
        precision="bf16",
    )


SCALES = {"cpu": Scale, "short": lambda: SHORT, "gpu": gpu}
