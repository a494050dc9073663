#!/usr/bin/env python3
"""Losses of alignment and their gradients, in f64, as TRL's own trainers compute them where they have the objective, and as
torch's autograd derives them from the printed formula where they have not:

  make_align_golden.py FOLDER

FOLDER gets preference.json, reward.json, advantages.json, grpo.json and logits.json, each with the versions that made it and a list
`cases`; a case's `by` says who computed it. TRL's loss methods are called as they are, on an object that has what they read of a
trainer: options, and a model that returns the given log-probabilities or scores. Fields have the names of src/align/objectives;
those that begin with d are the loss's derivatives.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
import trl
from trl import DPOTrainer, GRPOTrainer, RewardTrainer
from trl.trainer.utils import nanstd

torch.set_default_dtype(torch.float64)


class Alone:
    """The accelerator of one process."""

    device, num_processes, sync_gradients = "cpu", 1, True
    gather = gather_for_metrics = staticmethod(lambda x: x)
    reduce = staticmethod(lambda x, reduction: x)


def trainer(**fields):
    """What TRL's loss methods read of a trainer, the same for all."""
    return SimpleNamespace(
        model=SimpleNamespace(training=True), accelerator=Alone(), aux_loss_enabled=False, _metrics={"train": defaultdict(list)},
        _total_train_tokens=0, _tp_size=1, **fields,
    )  # fmt: skip


def gradients(loss, *inputs):
    return [g.tolist() for g in torch.autograd.grad(loss, inputs, retain_graph=True)]


# Preferences ------------------------------------------------------------------------------------------------------------------


def dpo_trainer(form, beta, smoothing):
    return trainer(
        ld_alpha=None, precompute_ref_logps=True, f_divergence_type="reverse_kl", beta=beta, label_smoothing=smoothing,
        loss_types=[form], loss_weights=[1.0], use_weighting=False,
    )  # fmt: skip


def dpo_loss(form, beta, smoothing, token_logps, mask, reference):
    """TRL's loss over log-probabilities [2 pairs, T], chosen first; mask: 1 for a token of the answer."""
    rows, length = token_logps.shape
    outputs = SimpleNamespace(
        log_probs=token_logps * mask, entropy=torch.zeros(rows, length), mean_logits=torch.zeros(rows, length),
        is_top1=torch.zeros(rows, length, dtype=torch.bool),
    )  # fmt: skip
    shifted = torch.cat([torch.zeros(rows, 1), mask], dim=1)  # position 0 predicts nothing of its own
    inputs = {
        "input_ids": torch.zeros(rows, length + 1, dtype=torch.long), "attention_mask": torch.ones(rows, length + 1),
        "completion_mask": shifted, "ref_chosen_logps": reference[: rows // 2], "ref_rejected_logps": reference[rows // 2 :],
    }  # fmt: skip
    self = dpo_trainer(form, beta, smoothing)
    loss = DPOTrainer._compute_loss(self, lambda **_: outputs, inputs, False)
    return loss, {name.split("/")[1]: values[0] for name, values in self._metrics["train"].items() if name.startswith("rewards/")}


def conservative_dpo(beta, smoothing, logps, reference):
    """DPO with label smoothing (Mitchell 2023), which this TRL has no form for."""
    (chosen, rejected), (ref_chosen, ref_rejected) = logps.chunk(2), reference.chunk(2)
    h = beta * ((chosen - ref_chosen) - (rejected - ref_rejected))
    return (-(1 - smoothing) * F.logsigmoid(h) - smoothing * F.logsigmoid(-h)).mean()


def preference_cases():
    # fathom's form, TRL's loss_type, beta, label smoothing, per token
    forms = [
        ("sigmoid", "sigmoid", 0.1, 0.0, False), ("sigmoid", "sigmoid", 0.5, 0.0, False), ("sigmoid", "sigmoid_norm", 2.0, 0.0, True),
        ("robust", "robust", 0.3, 0.1, False), ("ipo", "ipo", 0.4, 0.0, True), ("hinge", "hinge", 0.2, 0.0, False),
        ("sigmoid", None, 0.3, 0.1, False),
    ]  # fmt: skip
    pairs, length = 5, 9
    for form, theirs, beta, smoothing, per_token in forms:
        torch.manual_seed(3)
        logps = (-2 * torch.rand(2 * pairs, length)).requires_grad_()
        lengths = torch.randint(2, length + 1, (2 * pairs,))
        mask = (torch.arange(length) < lengths[:, None]).double()
        sums = (logps * mask).sum(1)
        reference = sums.detach() + 3 * torch.randn(2 * pairs)
        reference[0], reference[pairs] = sums[0].detach(), sums[pairs].detach()  # the first pair is as at the start
        if theirs:
            loss, rewards = dpo_loss(theirs, beta, smoothing, logps, mask, reference)
        else:
            loss, rewards = conservative_dpo(beta, smoothing, sums, reference), {}
        # all of an answer's tokens have the derivative of its sum
        by_sum = torch.autograd.grad(loss, logps)[0][:, 0]
        yield {
            "by": f"TRL DPOTrainer, loss_type {theirs}" if theirs else "autograd", "form": form, "beta": beta,
            "label_smoothing": smoothing, "per_token": per_token, "chosen": sums[:pairs].tolist(), "rejected": sums[pairs:].tolist(),
            "reference_chosen": reference[:pairs].tolist(), "reference_rejected": reference[pairs:].tolist(),
            "chosen_tokens": lengths[:pairs].tolist(), "rejected_tokens": lengths[pairs:].tolist(), "loss": loss.item(),
            "dchosen": by_sum[:pairs].tolist(), "drejected": by_sum[pairs:].tolist(), "rewards": rewards,
        }  # fmt: skip


# Reward models ----------------------------------------------------------------------------------------------------------------


def reward_cases():
    pairs = 6
    for centring, with_margin in ((None, False), (None, True), (0.01, False), (0.05, True)):
        torch.manual_seed(5)
        scores = (3 * torch.randn(2 * pairs, 1)).requires_grad_()
        margin = torch.rand(pairs) * 2
        inputs = {"attention_mask": torch.ones(2 * pairs, 4)} | ({"margin": margin} if with_margin else {})
        self = trainer(args=SimpleNamespace(center_rewards_coefficient=centring))
        loss = RewardTrainer.compute_loss(self, lambda **_: SimpleNamespace(logits=scores), inputs)
        (gradient,) = gradients(loss, scores)
        values = scores.detach().flatten().tolist()
        yield {
            "by": "TRL RewardTrainer", "form": "pairs", "centring": centring or 0, "tie": False, "chosen": values[:pairs],
            "rejected": values[pairs:], "margin": margin.tolist() if with_margin else [0.0] * pairs, "loss": loss.item(),
            "dchosen": [g[0] for g in gradient[:pairs]], "drejected": [g[0] for g in gradient[pairs:]],
            "accuracy": self._metrics["train"]["accuracy"][0],
        }  # fmt: skip
    chosen, rejected = (3 * torch.randn(pairs)).requires_grad_(), (3 * torch.randn(pairs)).requires_grad_()
    loss = F.binary_cross_entropy_with_logits(chosen - rejected, torch.full((pairs,), 0.5))
    by_chosen, by_rejected = gradients(loss, chosen, rejected)
    yield {
        "by": "torch binary_cross_entropy_with_logits", "form": "pairs", "centring": 0, "tie": True, "chosen": chosen.tolist(),
        "rejected": rejected.tolist(), "margin": [0.0] * pairs, "loss": loss.item(), "dchosen": by_chosen, "drejected": by_rejected,
    }  # fmt: skip
    scores, labels = (4 * torch.randn(8)).requires_grad_(), torch.tensor([0, 1, 0.5, 0.25, 1, 0, 0.9, 0.1])
    for form, theirs in (("binary", F.binary_cross_entropy_with_logits), ("squared", F.mse_loss)):
        loss = theirs(scores, labels)
        yield {
            "by": f"torch {theirs.__name__}", "form": form, "scores": scores.tolist(), "labels": labels.tolist(), "loss": loss.item(),
            "dscores": gradients(loss, scores)[0],
        }  # fmt: skip


# Advantages -------------------------------------------------------------------------------------------------------------------


def advantages(rewards, size, std):
    """The lines of TRL 1.16's GRPOTrainer for one reward (scale_rewards "group" or "none"), and the same with the other std.
    NaN: unscored."""
    groups = rewards.view(-1, size)
    difference = groups - torch.nanmean(groups, dim=1, keepdim=True)
    if std == "none":
        return difference.flatten()
    spread = nanstd(groups, dim=1, keepdim=True) if std == "sample" else torch.nanmean(difference**2, dim=1, keepdim=True).sqrt()
    return (difference / (spread + 1e-4)).flatten()


def advantage_cases():
    torch.manual_seed(8)
    rewards = torch.randn(5 * 6)
    rewards[[2, 9, 10]] = torch.nan
    rewards[12:18] = 0.75  # equal rewards
    rewards[18:23] = torch.nan  # one scored answer
    for std in ("sample", "population", "none"):
        yield {
            "by": "TRL GRPOTrainer's lines" if std != "population" else "torch", "std": std, "epsilon": 1e-4,
            "group": [i // 6 for i in range(30)], "reward": [None if r.isnan() else r.item() for r in rewards],
            "advantage": [None if a.isnan() else a.item() for a in advantages(rewards, 6, std)],
        }  # fmt: skip


# GRPO -------------------------------------------------------------------------------------------------------------------------

# form, TRL's loss_type and importance_sampling_level, beta, clip low, clip high, ratio limit (TRL's delta)
GRPO = [
    ("token", ("grpo", "token"), 0.0, 0.2, 0.2, None), ("token", ("grpo", "token"), 0.04, 0.2, 0.28, None),
    ("token", ("grpo", "token"), 0.04, 0.2, 0.2, 1.3), ("token_mean", ("dapo", "token"), 0.0, 0.2, 0.28, None),
    ("token_mean", ("bnpo", "token"), 0.1, 0.2, 0.2, None), ("dr_grpo", ("dr_grpo", "token"), 0.0, 0.1, 0.2, None),
    ("dr_grpo", ("dr_grpo", "token"), 0.02, 0.2, 0.2, None), ("gspo", ("grpo", "sequence"), 0.0, 0.03, 0.04, None),
    ("gspo", ("grpo", "sequence"), 0.05, 0.03, 0.04, 1.05), ("sequence", None, 0.0, 0.2, 0.2, None),
    ("sequence", None, 0.04, 0.2, 0.28, None),
]  # fmt: skip


def grpo_trainer(theirs, current, beta, low, high, limit, length):
    loss_type, level = theirs
    entropies = torch.zeros_like(current)
    return trainer(
        _get_per_token_logps_and_entropies=lambda *_, **__: (current, entropies, None), top_entropy_quantile=1.0,
        off_policy_mask_threshold=None, importance_sampling_level=level, beta=beta, loss_type=loss_type, epsilon_low=low,
        epsilon_high=high, use_vllm=False, current_gradient_accumulation_steps=1, max_completion_length=length,
        _entropy_bonus_enabled=False, args=SimpleNamespace(delta=limit, use_bias_correction_kl=False, steps_per_generation=1),
    )  # fmt: skip


def trl_grpo(theirs, current, old, reference, mask, advantage, beta, low, high, limit, length):
    self = grpo_trainer(theirs, current, beta, low, high, limit, length)
    ids = torch.zeros(current.shape, dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1], "prompt_mask": torch.ones(len(ids), 1), "completion_ids": ids, "completion_mask": mask,
        "advantages": advantage, "old_per_token_logps": old, "ref_per_token_logps": reference, "num_items_in_batch": mask.sum(),
    }  # fmt: skip
    loss = GRPOTrainer._compute_loss(self, None, inputs)
    return loss, {name: values[0] for name, values in self._metrics["train"].items() if name == "kl" or name.endswith("_mean")}


def printed_grpo(current, old, reference, mask, advantage, beta, low, high):
    """DeepSeek-V2, eq. 32 and 33: ratios and KL estimates of whole answers."""
    ratio = ((current - old) * mask).sum(1).exp()
    objective = torch.minimum(ratio * advantage, ratio.clamp(1 - low, 1 + high) * advantage)
    log_reference = ((reference - current) * mask).sum(1)
    return -(objective - beta * (log_reference.exp() - log_reference - 1)).mean()


def grpo_inputs(level):
    torch.manual_seed(13)
    answers, length = 6, 8
    spread = {"token": 0.25, "sequence": 0.04}[level]  # so that some are clipped, and most are not
    current = (-2 * torch.rand(answers, length)).requires_grad_()
    old = current.detach() + spread * torch.randn(answers, length)
    reference = current.detach() + 0.3 * torch.randn(answers, length)
    mask = (torch.arange(length) < torch.tensor([8, 3, 1, 6, 8, 5])[:, None]).double()
    mask[3, 2] = mask[4, 5] = 0  # of a tool, not of the policy
    return current, old, reference, mask, torch.tensor([1.2, -0.7, 0.4, -1.5, 0.0, -0.9])


def grpo_cases():
    for form, theirs, beta, low, high, limit in GRPO:
        for on_policy in (False, True):
            current, old, reference, mask, advantage = grpo_inputs("sequence" if form in ("gspo", "sequence") else "token")
            old = current.detach() if on_policy else old
            if theirs:
                loss, metrics = trl_grpo(theirs, current, old, reference, mask, advantage, beta, low, high, limit, 10)
            else:
                loss, metrics = printed_grpo(current, old, reference, mask, advantage, beta, low, high), {}
            yield {
                "by": "TRL GRPOTrainer, loss_type {}, importance_sampling_level {}".format(*theirs) if theirs else "autograd",
                "form": form, "beta": beta, "clip_low": low, "clip_high": high, "ratio_limit": limit, "length": 10,
                "on_policy": on_policy, "advantage": advantage.tolist(), "current": current.tolist(), "old": old.tolist(),
                "reference": reference.tolist(), "mask": mask.int().tolist(), "loss": loss.item(),
                "dlogp": gradients(loss, current)[0], "metrics": metrics,
            }  # fmt: skip


# From logits ------------------------------------------------------------------------------------------------------------------


def token_logps(logits, targets, temperature=1.0):
    return (logits / temperature).log_softmax(-1).gather(-1, targets[:, None]).squeeze(-1)


def logits_case(name, by, loss, logits, targets, **fields):
    return {"name": name, "by": by, "logits": logits.tolist(), "targets": targets.tolist(), "loss": loss.item(), **fields,
            "dlogits": gradients(loss, logits)[0]}  # fmt: skip


def sft_cases(logits, targets):
    weights = torch.tensor([1, 1, 0.5, 2, 0, 1, 0.25, 1, 1, 3.0])
    masked = targets.clone()
    masked[[1, 6]] = -100
    kept = masked != -100
    yield logits_case("sft_masked", "torch cross_entropy", F.cross_entropy(logits, masked), logits, masked,
                      weights=[1.0] * len(targets), denominator=kept.sum().item())  # fmt: skip
    loss = (F.cross_entropy(logits, masked, reduction="none") * weights).sum() / weights[kept].sum()
    yield logits_case("sft_weighted", "torch cross_entropy", loss, logits, masked, weights=weights.tolist(),
                      denominator=weights[kept].sum().item())  # fmt: skip


def logits_cases():
    torch.manual_seed(21)
    rows, vocabulary = 10, 13
    logits, targets = (2 * torch.randn(rows, vocabulary)).requires_grad_(), torch.randint(vocabulary, (rows,))
    yield from sft_cases(logits, targets)

    # One pair: rows 0..5 are the chosen answer, 6..9 the rejected one.
    logps = token_logps(logits, targets)
    tokens = torch.nn.utils.rnn.pad_sequence([logps[:6], logps[6:]], batch_first=True)
    mask = torch.tensor([[1.0] * 6, [1.0] * 4 + [0.0] * 2])
    reference = (tokens * mask).sum(1).detach() + torch.tensor([0.8, -0.6])
    loss, _ = dpo_loss("sigmoid", 0.3, 0.0, tokens, mask, reference)
    yield logits_case("dpo", "TRL DPOTrainer, loss_type sigmoid", loss, logits, targets, beta=0.3, reference=reference.tolist())

    # Two answers, of the same rows, sampled at a temperature.
    temperature, advantage = 0.7, torch.tensor([0.9, -1.1])
    logps = token_logps(logits, targets, temperature)
    tokens = torch.nn.utils.rnn.pad_sequence([logps[:6], logps[6:]], batch_first=True)
    old, reference = tokens.detach() + 0.2 * torch.randn(2, 6), tokens.detach() + 0.3 * torch.randn(2, 6)
    loss, _ = trl_grpo(("grpo", "token"), tokens, old, reference, mask, advantage, 0.04, 0.2, 0.2, None, 6)
    scaled = (logits / temperature).log_softmax(-1)
    yield logits_case("grpo", "TRL GRPOTrainer, loss_type grpo", loss, logits, targets, temperature=temperature, beta=0.04,
                      advantage=advantage.tolist(), old=old.tolist(), reference=reference.tolist(),
                      entropies=(-(scaled.exp() * scaled).sum(-1)).tolist())  # fmt: skip


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    versions = {"trl": trl.__version__, "torch": torch.__version__.split("+")[0]}
    makers = {"preference": preference_cases, "reward": reward_cases, "advantages": advantage_cases, "grpo": grpo_cases,
              "logits": logits_cases}  # fmt: skip
    for name, cases in makers.items():
        made = list(cases())
        lines = ",\n".join(json.dumps(case) for case in made)
        (folder / f"{name}.json").write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{lines}\n]}}\n')
        print(f"{name}.json: {len(made)} cases")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
