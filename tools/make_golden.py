#!/usr/bin/env python3
"""Makes a golden folder: a small random checkpoint of DeepSeek-V2 or of a model it is compared with, and what Hugging Face transformers computes from it.

  make_golden.py --preset NAME --out DIR          one of golden_presets.py
  make_golden.py --config FILE --out DIR          any config.json (add --form, --dtype, --shards)
  make_golden.py --checkpoint DIR --out DIR2      an existing checkpoint: only golden.safetensors is written
  make_golden.py --all tests/golden               every preset, balance.safetensors and router_bias.safetensors

DIR/golden.safetensors holds, of B sequences of T tokens:
  input_ids [B,T] i32, logits [B,T,V], loss [1] (mean cross-entropy of the B*(T-1) next tokens, no balance loss),
  grad.NAME for every tensor NAME of the checkpoint,
  experts.I [B,T,K] i32: the experts of MoE layer I, best first,
  hidden.0 .. hidden.L [B,T,C]: the residual stream before layer 0, 1, ... and after the last; middle.I: between attention and
  MLP of layer I; hidden.norm: after the final norm; hidden_grad.I, middle_grad.I: the loss's gradients of them,
  greedy_prompt [P] i32 and greedy [G] i32 (what follows the prompt, choosing the largest logit), greedy_logits [G,V] they
  were chosen from, greedy_experts.I [P+G-1,K] i32.
All is computed in f64 and stored in f32 (gradients in bf16 where --gradients says so); the weights are exact as stored.
A seed is passed over when some token is within 1e-3 of another choice of experts or of another greedy token, so that
an f32 program has no excuse for a different choice.

What transformers 5.24.0 does (read in modeling_deepseek_v2.py, and checked by running it):
  right     softmax scale times mscale(factor, mscale_all_dim)^2 for every rope type but "default"; cos and sin times
            mscale(mscale)/mscale(mscale_all_dim); YaRN at every length; interleaved RoPE pairs; router in f32, softmax over
            all experts before top-k; group score = max; weights times routed_scaling_factor; latent norms with eps 1e-6
            whatever rms_norm_eps says; biases (attention_bias) on q_a_proj, kv_a_proj_with_mqa and o_proj only.
  ignored   norm_topk_prob, moe_layer_freq, scoring_func, seq_aux, aux_loss_alpha (there is no balance loss at all).
  otherwise masked groups score 0, not -inf; topk_method "gready" fails; mlp_bias is a field of its own; when mscale or
            mscale_all_dim is missing or 0, cos and sin take 0.1 ln(factor) + 1, where DeepSeek's code defaults mscale to 1
            and mscale_all_dim to 0 (the same unless mscale is given without mscale_all_dim).
  refused   expert widths that are not multiples of 16 bytes (the default "grouped_mm"; "eager" takes them), an odd
            kv_lora_rank (view_as_complex wants even strides), a hidden_size that the number of heads does not divide.
  saving    save_pretrained writes one tensor per expert, as DeepSeek does (save_original_format=False: fused
            mlp.experts.gate_up_proj [E,2F,C], gate rows first, and mlp.experts.down_proj [E,C,F]); mlp.gate.weight stays f32
            in a bf16 model; config.json has rope_parameters (with rope_theta and rope_type inside), dtype, and
            head_dim = qk_rope_head_dim. The parameters in memory are always the fused ones.
Where it differs from DeepSeek's code, hf_deepseek.py mends it: norm_topk_prob (then without the scaling factor), moe_layer_freq,
-inf masking, "gready"; it adds DeepSeek-V3's noaux_tc; and it lets norms, router and RoPE run in f64.
"""

import argparse
import json
import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import DeepseekV2ForCausalLM

import hf_deepseek
import hf_llama
from golden_presets import HOW, PRESETS, preset
from make_balance import make_balance
from make_router_bias import make_router_bias

PROMPT, NEW_TOKENS, SMALLEST_MARGIN, SEEDS = 6, 16, 1e-3, 200


def build(config, seed, dtype):
    """A random model in f64 whose weights are exact in `dtype`: rows scaled by fan-in, norms around 1."""
    torch.manual_seed(seed)
    model = hf_llama.model_of(config).double()
    for name, parameter in model.named_parameters():
        draw = torch.randn(parameter.shape, dtype=torch.float64)
        if name.endswith("norm.weight"):
            draw = 1 + 0.2 * draw
        elif name.endswith(".bias"):
            draw = 0.2 * draw
        elif "embed_tokens" not in name or config.tie_word_embeddings:
            draw = draw * (2.0 if "gate.weight" in name or "lm_head" in name or "embed_tokens" in name else 1.2) / math.sqrt(parameter.shape[-1])
        parameter.data.copy_(draw.to(stored_type(name, dtype)))
    for _, bias in router_biases(model):
        bias.copy_(0.1 * torch.randn(bias.shape))
    return model.eval()


def router_biases(model):
    """(name, bias) of the routers that have one; it is f32 in every checkpoint."""
    return [(name, buffer) for name, buffer in model.named_buffers() if name.endswith("e_score_correction_bias")]


def stored_type(name, dtype):
    """Transformers keeps routers in f32 whatever the model's type; DeepSeek's own files do not (see write_deepseek)."""
    return torch.float32 if name.endswith("mlp.gate.weight") and dtype != "deepseek bfloat16" else getattr(torch, dtype.split()[-1])


def per_expert(name, tensor):
    """Splits a fused expert tensor into the tensors of a DeepSeek checkpoint; others pass."""
    if name.endswith("experts.gate_up_proj"):
        stem = name.removesuffix("gate_up_proj")
        for expert, both in enumerate(tensor):
            for part, rows in zip(("gate_proj", "up_proj"), both.chunk(2)):
                yield f"{stem}{expert}.{part}.weight", rows.contiguous()
    elif name.endswith("experts.down_proj"):
        stem = name.removesuffix("down_proj")
        for expert, rows in enumerate(tensor):
            yield f"{stem}{expert}.down_proj.weight", rows.contiguous()
    else:
        yield name, tensor.contiguous()


def write_deepseek(folder, raw_config, tensors, dtype, shards):
    """config.json as DeepSeek publishes it, and the tensors over `shards` files with an index."""
    architecture = "DeepseekForCausalLM" if raw_config["model_type"] == "deepseek" else "DeepseekV2ForCausalLM"
    config = {"architectures": [architecture], **raw_config, "torch_dtype": dtype, "transformers_version": "4.39.3"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    generation = {"_from_model_config": True, "bos_token_id": config["bos_token_id"], "eos_token_id": config["eos_token_id"]}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")
    names = list(tensors)
    size = math.ceil(len(names) / shards)
    index = {}
    for shard in range(shards):
        file = "model.safetensors" if shards == 1 else f"model-{shard + 1:05}-of-{shards:06}.safetensors"
        part = {name: tensors[name] for name in names[shard * size : (shard + 1) * size]}
        save_file(part, folder / file, metadata={"format": "pt"})
        index.update(dict.fromkeys(part, file))
    if shards > 1:
        total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=2) + "\n"
        )


def write_checkpoint(folder, model, raw_config, how):
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*"):
        if old.suffix in (".safetensors", ".json"):
            old.unlink()
    if how["form"] == "deepseek":
        dtype = getattr(torch, how["dtype"])
        tensors = {n: t.to(dtype) for name, p in model.named_parameters() for n, t in per_expert(name, p.detach())}
        tensors |= {name: bias.float() for name, bias in router_biases(model)}
        if how["stale_head"]:
            tensors["lm_head.weight"] = torch.ones_like(tensors["model.embed_tokens.weight"])
        write_deepseek(folder, raw_config, tensors, how["dtype"], how["shards"])
        return
    stored = hf_llama.model_of(model.config)
    stored.load_state_dict(model.state_dict())
    for name, parameter in stored.named_parameters():
        parameter.data = parameter.data.to(stored_type(name, how["dtype"]))
    stored.config.dtype = how["dtype"]
    total = sum(p.numel() * p.element_size() for p in stored.parameters())
    shard = math.ceil(total / how["shards"] * 1.1) if how["shards"] > 1 else "5GB"
    stored.save_pretrained(folder, save_original_format=how["form"] != "fused", max_shard_size=shard)


def greedy(model, prompt):
    """(NEW_TOKENS tokens after the prompt, smallest lead of a chosen logit): one full pass per token, no cache."""
    tokens, lead = list(prompt), math.inf
    with torch.no_grad():
        for _ in range(NEW_TOKENS):
            best = model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0, -1].topk(2)
            lead = min(lead, (best.values[0] - best.values[1]).item(), hf_deepseek.smallest_margin(model))
            tokens.append(best.indices[0].item())
    return tokens[len(prompt) :], lead


def greedy_pass(model, tokens, prompt):
    """What the reference says of a greedy continuation: the logits of every generated token, the experts of every token read."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([tokens[:-1]]), use_cache=False).logits[0, prompt - 1 :]
    golden = {"greedy_logits": logits.float().contiguous()}
    golden |= {f"greedy_experts.{layer}": ids.int().contiguous() for layer, ids in hf_deepseek.chosen_experts(model)}
    return golden


def layer_by_layer(states, experts):
    """The residual stream's states, their gradients, and the experts of every MoE layer."""
    golden = {"hidden.norm": states[-1].detach().float().contiguous()}
    for index, state in enumerate(states[:-1]):
        name = "middle" if index % 2 else "hidden"
        golden[f"{name}.{index // 2}"] = state.detach().float().contiguous()
        golden[f"{name}_grad.{index // 2}"] = state.grad.float().contiguous()
    batch, length = states[0].shape[:2]
    golden |= {f"experts.{layer}": e.int().reshape(batch, length, -1) for layer, e in experts}
    return golden


def compute(model, how, split, seed):
    """(tensors of golden.safetensors, smallest margin)."""
    hf_deepseek.check_softmax_scale(model)
    batch, length = how["batch"], how["length"]
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, model.config.vocab_size, (batch, length), generator=generator)
    model.zero_grad()
    with hf_deepseek.recorded_states(model) as states:
        logits = model(input_ids=ids, use_cache=False).logits
    experts = list(hf_deepseek.chosen_experts(model))
    margin = hf_deepseek.smallest_margin(model)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    assert logits.dtype == torch.float64 and loss.dtype == torch.float64
    prompt = ids[0, :PROMPT].tolist()
    follow, lead = greedy(model, prompt)
    golden = {
        "input_ids": ids.int(), "logits": logits.detach().float(), "loss": loss.detach().float().reshape(1),
        "greedy_prompt": torch.tensor(prompt, dtype=torch.int32), "greedy": torch.tensor(follow, dtype=torch.int32),
    }  # fmt: skip
    golden |= greedy_pass(model, prompt + follow, len(prompt)) | layer_by_layer(states, experts)
    for name, parameter in model.named_parameters():
        for part, grad in per_expert(name, parameter.grad) if split else [(name, parameter.grad)]:
            golden[f"grad.{part}"] = grad.to(getattr(torch, how["gradients"])).contiguous()
    return golden, min(margin, lead)


def make(folder, raw_config, how, first_seed):
    raw_config = {"eos_token_id": raw_config["vocab_size"] - 1, **raw_config}
    config = hf_llama.config_of(json.loads(json.dumps(raw_config)))
    dtype = "deepseek bfloat16" if (how["form"], how["dtype"]) == ("deepseek", "bfloat16") else how["dtype"]
    for seed in range(first_seed, first_seed + SEEDS):
        model = build(config, seed, dtype)
        golden, margin = compute(model, how, how["form"] != "fused", seed)
        if margin >= SMALLEST_MARGIN and raw_config["eos_token_id"] not in golden["greedy"].tolist():
            break
    else:
        sys.exit(f"{folder}: no seed in {first_seed}..{first_seed + SEEDS - 1} keeps every choice {SMALLEST_MARGIN} clear")
    write_checkpoint(folder, model, raw_config, how)
    save_file(golden, folder / "golden.safetensors", metadata={"seed": str(seed)})
    size = sum(file.stat().st_size for file in folder.iterdir()) // 1024
    spread, loss = golden["logits"].std().item(), golden["loss"].item()
    print(f"{folder}: seed {seed}, margin {margin:.2e}, logits std {spread:.2f}, loss {loss:.4f}, {size} KiB")
    print(f"  greedy {golden['greedy'].tolist()}")


def from_checkpoint(checkpoint, folder, how, seed):
    files = [checkpoint] if checkpoint.is_file() else sorted(checkpoint.glob("*.safetensors"))
    names = [name for file in files for name in safe_open(file, "pt").keys()]
    split = not any(name.endswith("experts.gate_up_proj") for name in names)
    model = DeepseekV2ForCausalLM.from_pretrained(
        checkpoint, dtype=torch.float64, attn_implementation="sdpa", experts_implementation="eager"
    )
    golden, margin = compute(model.double().eval(), how, split, seed)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(golden, folder / "golden.safetensors", metadata={"seed": str(seed)})
    print(f"{folder}: margin {margin:.2e} (a choice of experts or of a token may flip in f32 if it is small)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--preset", choices=PRESETS)
    source.add_argument("--config", type=Path)
    source.add_argument("--checkpoint", type=Path)
    source.add_argument("--all", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--length", type=int)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="type of the stored weights")
    parser.add_argument("--gradients", choices=("float32", "bfloat16"), help="type of the stored gradients")
    parser.add_argument("--form", choices=("deepseek", "hf", "fused"))
    parser.add_argument("--shards", type=int)
    args = parser.parse_args()
    hf_deepseek.mend()
    hf_llama.mend()
    torch.set_num_threads(1)  # the same sums in the same order everywhere
    if args.all:
        for name in PRESETS:
            make(args.all / name, *preset(name), args.seed)
        make_balance(args.all / "balance.safetensors")
        return make_router_bias(args.all / "router_bias.safetensors")
    if not args.out:
        parser.error("--out DIR says where the folder goes")
    if args.preset:
        raw, how = preset(args.preset)
    else:
        raw, how = json.loads(args.config.read_text()) if args.config else None, dict(HOW)
    how |= {key: value for key in how if (value := getattr(args, key, None)) is not None}
    if args.checkpoint:
        return from_checkpoint(args.checkpoint, args.out, how, args.seed)
    make(args.out, raw, how, args.seed)


if __name__ == "__main__":
    main()
