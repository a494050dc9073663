#!/usr/bin/env python3
"""Makes router_bias.safetensors: experts chosen with a bias, as the router of transformers' DeepSeek-V3 chooses them, and the bias
over some steps of balancing without a loss (arXiv 2408.15664).

  make_router_bias.py FILE

That router's scores are sigmoids. Given log(s / (1 - s)) as its logits they are s, so that the module runs unchanged with the
softmax scores of DeepSeek-V2.
Keys: logits [N,E], bias [E], and for each NAME of CASES, with its groups, groups kept and experts per token in `NAME.sizes` [3] i32,
NAME.ids [N,K] i32 (best first, by score + bias) and NAME.weights [N,K] (of `normalized` they sum to 1, of the others they are
2.5 times the score). counts [S,E] i32, speed [1], biases [S,E]: the bias after each step's counts, from 0 on.
"""

import sys

import torch
from safetensors.torch import save_file
from transformers import DeepseekV3Config
from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3TopkRouter

TOKENS, EXPERTS, SCALING, SPEED, STEPS, SMALLEST_GAP = 24, 12, 2.5, 0.001, 6, 1e-4
CASES = {"plain": (1, 1, 3), "grouped": (4, 2, 3), "pairs": (6, 3, 4), "normalized": (3, 2, 4)}  # groups, kept, per token


def route(name, scores, bias):
    """(ids best first, weights, gap): what the module gives, and how close the choice of experts or groups was."""
    groups, kept, top_k = CASES[name]
    normalize = name == "normalized"
    config = DeepseekV3Config(
        hidden_size=EXPERTS, n_routed_experts=EXPERTS, num_experts_per_tok=top_k, n_group=groups, topk_group=kept,
        norm_topk_prob=normalize, routed_scaling_factor=1.0 if normalize else SCALING,
    )  # fmt: skip
    router = DeepseekV3TopkRouter(config)
    router.weight.data.copy_(torch.eye(EXPERTS))
    router.e_score_correction_bias.copy_(bias)
    with torch.no_grad():
        _, weights, ids = router((scores.log() - (1 - scores).log()).float())
    order = (scores + bias).gather(1, ids).sort(dim=1, descending=True)
    values = (scores + bias).reshape(TOKENS, groups, -1)
    of_groups = values.topk(2, dim=-1).values.sum(-1).sort(dim=1, descending=True).values
    gaps = [order.values[:, :-1] - order.values[:, 1:]]
    if kept < groups:
        gaps.append(of_groups[:, kept - 1] - of_groups[:, kept])
    allowed = torch.zeros(TOKENS, groups).scatter(1, values.topk(2, dim=-1).values.sum(-1).topk(kept).indices, 1.0)
    left_out = (scores + bias).masked_fill((allowed == 0).repeat_interleave(EXPERTS // groups, 1), -9).scatter(1, ids, -9.0)
    gaps.append(order.values[:, -1] - left_out.max(1).values)
    return ids.gather(1, order.indices), weights.gather(1, order.indices), min(gap.min().item() for gap in gaps)


def biases(counts):
    """b_i += speed * sign(mean - count_i) after each step."""
    bias, all_steps = torch.zeros(EXPERTS, dtype=torch.float64), []
    for step in counts.double():
        bias = bias + SPEED * torch.sign(step.mean() - step)
        all_steps.append(bias)
    return torch.stack(all_steps)


def make_router_bias(file, first_seed=3):
    for seed in range(first_seed, first_seed + 5000):
        torch.manual_seed(seed)
        logits = torch.randn(TOKENS, EXPERTS)
        bias = 0.1 * torch.randn(EXPERTS)
        scores = logits.double().softmax(-1)
        results = {name: route(name, scores, bias) for name in CASES}
        if min(gap for *_, gap in results.values()) >= SMALLEST_GAP:
            break
    else:
        sys.exit(f"no seed keeps every choice {SMALLEST_GAP} clear")
    counts = torch.randint(0, 9, (STEPS, EXPERTS), dtype=torch.int32)
    counts[1] = 7  # perfect balance: nothing moves
    counts[2] = 0
    counts[2, 5] = EXPERTS  # one expert has them all; the mean is 1
    counts[3] = 2_000_000_000  # a sum of more than 32 bits, and means that are not whole
    counts[3, 0] -= 1
    out = {"logits": logits, "bias": bias, "counts": counts, "speed": torch.tensor([SPEED], dtype=torch.float64)}
    out["biases"] = biases(counts).float()
    for name, (ids, weights, _) in results.items():
        out |= {f"{name}.ids": ids.int(), f"{name}.weights": weights, f"{name}.sizes": torch.tensor(CASES[name], dtype=torch.int32)}
    save_file({key: value.contiguous() for key, value in out.items()}, file)
    unbiased = {name: (ids.sort(1).values != route(name, scores, 0 * bias)[0].sort(1).values).any(1).sum().item() for name, (ids, *_) in results.items()}
    print(f"{file}: seed {seed}; tokens of {TOKENS} whose experts the bias changed: {unbiased}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_router_bias(sys.argv[1])
