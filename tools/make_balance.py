#!/usr/bin/env python3
"""Makes balance.safetensors: the three balance losses of DeepSeek-V2 over random router scores, with their gradients.

  make_balance.py FILE

With T tokens in a sequence, E experts, K used per token, D groups of which M may be used, means over the batch:
  expert         alpha sum_i f_i P_i      f_i = E/(K T) (uses of i in the sequence), P_i = mean over t of s_it   (seq_aux true)
  batch          the same with f and P over all sequences together                                             (seq_aux false)
  device         alpha sum_d f'_d P'_d    f'_d = mean of f over the group, P'_d = sum of P over the group
  communication  alpha sum_d f"_d P'_d    f"_d = D/(M T) (tokens that use any expert of the group)
Keys: scores [B,T,E], topk [B,T,K] i32, alpha [1], groups [1] i32 (D), groups_kept [1] i32 (M), and for each name above
NAME.loss [1] and NAME.dscores [B,T,E] (scores taken as free variables; f counts carry no gradient). `loss` and `dscores`
repeat those of `expert`.
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file


def make_balance(file, seed=11, shape=(3, 20, 12), groups=4, kept=2, top_k=3, alpha=0.003):
    """Balance losses over scores [B,T,E] and their gradients; see above."""
    torch.manual_seed(seed)
    batch, length, experts = shape
    scores = (1.5 * torch.randn(shape, dtype=torch.float64)).softmax(-1).float().double().requires_grad_()
    grouped = scores.detach().reshape(batch, length, groups, -1)
    chosen = grouped.max(-1).values.topk(kept).indices
    open_groups = torch.zeros(batch, length, groups).scatter(2, chosen, 1.0).bool()
    topk = grouped.masked_fill(~open_groups.unsqueeze(-1), -1.0).reshape(shape).topk(top_k).indices
    picked = F.one_hot(topk, experts).sum(2).double()  # [B,T,E], 1 where the expert was used
    load, mean_score = picked.sum(1) * experts / (top_k * length), scores.mean(1)  # f and P, [B,E]
    device_score = mean_score.reshape(batch, groups, -1).sum(-1)
    device_load = load.reshape(batch, groups, -1).mean(-1)
    sent = (picked.reshape(batch, length, groups, -1).sum(-1) > 0).double().sum(1) * groups / (kept * length)
    flat_load = picked.sum((0, 1)) * experts / (top_k * length * batch)
    losses = {
        "expert": (load * mean_score).sum(1).mean(),
        "batch": (flat_load * scores.mean((0, 1))).sum(),
        "device": (device_load * device_score).sum(1).mean(),
        "communication": (sent * device_score).sum(1).mean(),
    }
    out = {"scores": scores.detach().float(), "topk": topk.int(), "alpha": torch.tensor([alpha])}
    out |= {"groups": torch.tensor([groups], dtype=torch.int32), "groups_kept": torch.tensor([kept], dtype=torch.int32)}
    for name, loss in losses.items():
        (gradient,) = torch.autograd.grad(alpha * loss, scores, retain_graph=True)
        out |= {f"{name}.loss": (alpha * loss).detach().float().reshape(1), f"{name}.dscores": gradient.float()}
    out |= {"loss": out["expert.loss"].clone(), "dscores": out["expert.dscores"].clone()}
    save_file(out, file)
    print(f"{file}: " + ", ".join(f"{name} {loss.item():.4f}" for name, loss in losses.items()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_balance(sys.argv[1])
