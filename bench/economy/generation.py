"""How many tokens a second a model generates when the memory of one device is full of cache, by batch_bench."""

import json
import re
import sys
from dataclasses import dataclass

from runs import run_program


@dataclass
class Generation:
    name: str
    sequences: int
    tokens_per_second: float
    share_of_bound: float  # of what reading weights and cache allows


PAGE = 64  # tokens
BUDGET = 16384  # tokens of a step while prompts are read


def sequences_that_fit(run, scale):
    """What the memory holds beside the weights. The first sequences decode while the last prompts are read: batch_bench keeps room
    for that (`lead`)."""
    weights = 2 * run.parameters
    sequences = int((scale.memory - weights) // (scale.context * run.cache))
    while sequences > 0:
        lead = 2 * sequences * scale.context // BUDGET + 2
        if weights + sequences * (scale.context + lead + 2 * PAGE) * run.cache <= scale.memory:
            return sequences
        sequences -= 1
    sys.exit(f"economy: {run.name}: no sequence of {scale.context} tokens fits in {scale.memory:.3g} bytes beside the weights")


def generate(run, scale, batch_bench, folder, device):
    sequences = sequences_that_fit(run, scale)
    config = folder / "generation.json"
    config.write_text(json.dumps(run.fields | {"max_position_embeddings": 2 * scale.context}))
    load = f"{sequences}x{scale.context - scale.answer}+{scale.answer}!"
    printed = run_program(batch_bench, config, "bf16", device, BUDGET, load)
    found = re.search(r"decode (\d+) tokens/s.*?(\d+)% of", printed)
    if not found:
        sys.exit(f"economy: batch_bench printed no decoding speed:\n{printed}")
    print(f"  {run.name}: {found[0]} what the memory allows", flush=True)
    return Generation(run.name, sequences, float(found[1]), float(found[2]) / 100)
