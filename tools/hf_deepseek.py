"""The DeepSeek-V2 of Hugging Face transformers, mended where it differs from DeepSeek's own code.

Used by make_golden.py and check_hf.py. What was read in transformers 5.24.0 (deepseek_v2) is listed in the
docstring of make_golden.py. `mend()` replaces, in the imported transformers module only:

* router        - `norm_topk_prob` (normalise, and then no routed_scaling_factor), "gready" as a spelling of
                  "greedy", masked groups at -inf instead of 0; DeepSeek-V3's "noaux_tc", a choice by score +
                  e_score_correction_bias, of softmax scores; records the experts and how close their choice was;
* decoder layer - `moe_layer_freq`;
* precision     - RMSNorm, router, RoPE angles and rotation run in f64 when the model is f64 (transformers
                  forces them to f32); in f32 they give what transformers gives.
"""

import contextlib
import math

import torch
import torch.nn.functional as F
from transformers.models.deepseek_v2 import modeling_deepseek_v2 as hf


def wide(tensor):
    """f32 at least: f64 stays f64."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def rmsnorm(self, hidden_states):
    x = wide(hidden_states)
    x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
    return self.weight * x.to(hidden_states.dtype)


def gap(scores, kept):
    """Smallest log-distance between the last score kept and the first one left out."""
    if kept >= scores.shape[-1]:
        return math.inf
    ordered = scores.log().sort(dim=-1, descending=True).values
    difference = ordered[..., kept - 1] - ordered[..., kept]
    return difference[~difference.isnan()].min().item()


def biased_choice(self, scores):
    """(score + bias, -inf outside the groups with the highest sum of two; how close the choice of groups was)."""
    values = scores + self.e_score_correction_bias
    groups = values.view(len(values), self.num_group, -1)
    best = groups.topk(2, dim=-1).values.sum(dim=-1)
    ordered = best.detach().sort(dim=-1, descending=True).values
    margin = math.inf
    if self.topk_group < self.num_group:
        margin = (ordered[:, self.topk_group - 1] - ordered[:, self.topk_group]).min().item()
    keep = torch.zeros_like(best).scatter(1, best.topk(self.topk_group, dim=-1).indices, 1.0).bool()
    return groups.masked_fill(~keep.unsqueeze(-1), -math.inf).reshape(values.shape), margin


def gates(self, scores, indices):
    weights = scores.gather(1, indices)
    if self.norm_topk_prob and self.top_k > 1:
        return weights / (weights.sum(dim=-1, keepdim=True) + 1e-20)
    return weights * self.routed_scaling_factor


def route(self, hidden_states):
    x = hidden_states.view(-1, self.hidden_dim)
    logits = F.linear(wide(x), wide(self.weight))
    scores = logits.softmax(dim=-1)
    margin = math.inf
    if self.topk_method == "noaux_tc":
        choice, margin = biased_choice(self, scores)
        self.experts = indices = choice.topk(self.top_k, dim=-1).indices
        kept = choice.detach().sort(dim=-1, descending=True).values
        self.margin = min(margin, (kept[:, self.top_k - 1] - kept[:, self.top_k]).min().item())
        return logits, gates(self, scores, indices), indices
    if self.topk_method == "group_limited_greedy":
        groups = scores.view(len(scores), self.num_group, -1)
        best = groups.max(dim=-1).values
        margin = gap(best.detach(), self.topk_group)
        keep = torch.zeros_like(best).scatter(1, best.topk(self.topk_group, dim=-1).indices, 1.0).bool()
        choice = groups.masked_fill(~keep.unsqueeze(-1), -math.inf).reshape(scores.shape)
    elif self.topk_method in ("greedy", "gready"):
        choice = scores
    else:
        raise ValueError(f"topk_method {self.topk_method!r} is not one of DeepSeek-V2's")
    indices = choice.topk(self.top_k, dim=-1).indices
    self.margin = min(margin, gap(choice.detach().clamp_min(0), self.top_k))
    self.experts = indices
    return logits, gates(self, scores, indices), indices


def rotary_frequencies(config, dim):
    """(frequencies f64, factor of cos and sin) of heads of `dim` columns, plain or YaRN, in double precision."""
    rope = config.rope_parameters
    base = rope["rope_theta"]
    pair = torch.arange(dim // 2, dtype=torch.float64)
    frequency = base ** (-2 * pair / dim)
    if rope["rope_type"] == "default":
        return frequency, 1.0
    if rope["rope_type"] != "yarn":
        raise ValueError(f"rope_type {rope['rope_type']!r} is not used by DeepSeek-V2")

    def turns_at(rotations):
        return dim * math.log(rope["original_max_position_embeddings"] / (2 * math.pi * rotations)) / (2 * math.log(base))

    low = max(math.floor(turns_at(rope.get("beta_fast") or 32)), 0)
    high = min(math.ceil(turns_at(rope.get("beta_slow") or 1)), dim - 1)
    ramp = ((pair - low) / (high - low if high != low else 0.001)).clamp(0, 1)
    factor = rope["factor"]
    if rope.get("attention_factor") is not None:
        ratio = rope["attention_factor"]
    else:
        ratio = mscale_ratio(rope, factor)
    return frequency * (1 - ramp) + frequency / factor * ramp, ratio


def mscale_ratio(rope, factor):
    return hf.yarn_get_mscale(factor, rope.get("mscale", 1)) / hf.yarn_get_mscale(factor, rope.get("mscale_all_dim", 0))


def rotary_angles(self, x, position_ids):
    frequency, ratio = rotary_frequencies(self.config, self.config.qk_rope_head_dim)
    torch.testing.assert_close(frequency.float(), self.original_inv_freq.float().cpu(), rtol=2e-6, atol=0)
    torch.testing.assert_close(ratio, self.attention_scaling)
    dtype = torch.promote_types(x.dtype, torch.float32)
    angle = (position_ids[..., None].double() * frequency).to(dtype)
    return torch.polar(torch.full_like(angle, ratio), angle)


def rotate(query, key, rotation):
    def one(x):
        pairs = torch.view_as_complex(wide(x).reshape(*x.shape[:-1], -1, 2).contiguous())
        return torch.view_as_real(pairs * rotation.unsqueeze(1)).flatten(3).type_as(x)

    return one(query), one(key)


def mend():
    """Applies everything above; call it before a model is built."""
    router_init, layer_init = hf.DeepseekV2TopkRouter.__init__, hf.DeepseekV2DecoderLayer.__init__

    def init_router(self, config):
        router_init(self, config)
        self.norm_topk_prob = config.norm_topk_prob
        self.margin = math.inf
        if self.topk_method == "noaux_tc":
            self.register_buffer("e_score_correction_bias", torch.zeros(self.num_experts))

    def init_layer(self, config, layer_idx):
        layer_init(self, config, layer_idx)
        routed = layer_idx >= config.first_k_dense_replace and layer_idx % getattr(config, "moe_layer_freq", 1) == 0
        if not routed and not isinstance(self.mlp, hf.DeepseekV2MLP):
            self.mlp = hf.DeepseekV2MLP(config)

    hf.DeepseekV2TopkRouter.__init__ = init_router
    hf.DeepseekV2TopkRouter.forward = route
    hf.DeepseekV2DecoderLayer.__init__ = init_layer
    hf.DeepseekV2RMSNorm.forward = rmsnorm
    hf.DeepseekV2RotaryEmbedding.forward = rotary_angles
    hf.apply_rotary_emb = rotate


def check_softmax_scale(model):
    """Stops where transformers lacks YaRN's factor of the softmax scale (before its pull request 47435)."""
    config, rope = model.config, model.config.rope_parameters
    if not isinstance(model.model.layers[0].self_attn, hf.DeepseekV2Attention):
        return
    scale = (config.qk_nope_head_dim + config.qk_rope_head_dim) ** -0.5
    if rope["rope_type"] == "yarn" and rope.get("mscale_all_dim"):
        scale *= (0.1 * rope["mscale_all_dim"] * math.log(rope["factor"]) + 1) ** 2 if rope["factor"] > 1 else 1
    for layer in model.model.layers:
        if not math.isclose(layer.self_attn.scaling, scale, rel_tol=1e-12):
            raise RuntimeError(f"this transformers has softmax scale {layer.self_attn.scaling}, DeepSeek-V2's is {scale}: it is too old")


@contextlib.contextmanager
def recorded_states(model):
    """A list that the next forward pass fills with the residual stream before layer 0, between its attention and MLP, before
    layer 1, ... after the last layer, and at last after the final norm. (transformers' output_hidden_states leaves out what the
    final norm reads.) After a backward pass each has its gradient."""
    states = []

    def record(state):
        state.retain_grad()
        states.append(state)

    def record_output(_module, _inputs, output):
        record(output[0] if isinstance(output, tuple) else output)

    def record_input(_module, inputs):
        record(inputs[0])

    inner = model.model
    hooks = [module.register_forward_hook(record_output) for module in (inner.embed_tokens, *inner.layers, inner.norm)]
    hooks += [layer.post_attention_layernorm.register_forward_pre_hook(record_input) for layer in inner.layers]
    yield states
    for hook in hooks:
        hook.remove()


def chosen_experts(model):
    """(layer, experts [tokens, K], best first) of every MoE layer, as chosen in the last forward pass."""
    for index, layer in enumerate(model.model.layers):
        for module in layer.modules():
            if isinstance(module, hf.DeepseekV2TopkRouter):
                yield index, module.experts


def smallest_margin(model):
    """How close any token of the last forward pass came to another choice of experts (log of a score ratio)."""
    routers = [module for module in model.modules() if isinstance(module, hf.DeepseekV2TopkRouter)]
    return min((router.margin for router in routers), default=math.inf)
