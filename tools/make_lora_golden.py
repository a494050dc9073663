#!/usr/bin/env python3
"""Makes golden folders of LoRA adapters: what PEFT makes of them on models of tests/golden.

  make_lora_golden.py --all tests/golden_lora     every adapter below

DIR is an adapter as PEFT's save_pretrained writes it, f32, no B zero; DIR/golden.safetensors holds, for the model of tests/golden
that it is named after:
  input_ids [B,T] i32, logits [B,T,V], loss [1] (mean cross-entropy of the B*(T-1) next tokens),
  grad.NAME for every tensor NAME of the adapter.
All is computed in f64. A seed is passed over when a token is within 1e-3 of another choice of experts.

What PEFT 0.21.2 does with transformers 5.24.0's DeepSeek-V2 (read in its source, and checked by running it):
  * gate_proj, up_proj and down_proj in target_modules become target_parameters gate_up_proj and down_proj, which are the routed
    experts' alone: dense MLPs and shared experts silently get no adapter. As target_parameters ("mlp.gate_proj.weight",
    "shared_experts.down_proj.weight") they get one, under the usual names.
  * The experts' adapters are one tensor each, A [E*R, I] and B [O, R*E] (ranks outside, experts inside):
    "mlp.experts.base_layer.lora_A" is gate_up_proj's, "mlp.experts.lora_A" down_proj's.
  * Adapters that name experts one by one ("mlp.experts.3.gate_proj.lora_A.weight") are fused when they are loaded: gate and up
    become one of twice the rank, with a block-diagonal B.
"""

import argparse
import math
import shutil
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

import hf_deepseek
import hf_llama
from make_golden import SEEDS, SMALLEST_MARGIN

ATTENTION = ["q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]
MLPS = [f"{mlp}.{name}.weight" for mlp in ("mlp", "shared_experts") for name in ("gate_proj", "up_proj", "down_proj")]
EXPERTS = ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"]
# name: (model, batch, length, settings)
ADAPTERS = {
    # Every projection of DeepSeek-V2; other ranks and scales for some.
    "v2_like": (2, 20, {
        "r": 4, "lora_alpha": 6, "target_modules": ATTENTION, "target_parameters": MLPS + EXPERTS,
        "rank_pattern": {"kv_b_proj": 3, "mlp.experts.gate_up_proj": 5}, "alpha_pattern": {"o_proj": 10},
    }),
    # Without a query latent; the scale by the root of the rank; the experts' down_proj alone.
    "lite_like": (2, 20, {
        "r": 3, "lora_alpha": 2, "use_rslora": True, "target_modules": ["q_proj", "kv_b_proj"], "target_parameters": EXPERTS[1:],
    }),
    # Grouped-query attention: keys and values of several heads.
    "llama": (2, 24, {
        "r": 4, "lora_alpha": 8,
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    }),
}  # fmt: skip


def adapted(folder, settings, seed):
    base = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="sdpa", experts_implementation="eager"
    ).double()
    model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **settings))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if ".lora_" not in name:
            assert not parameter.requires_grad
            continue
        spread = 1 / math.sqrt(parameter.shape[1]) if "lora_A" in name else 0.3
        draw = spread * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data = draw.float().double()
    return model.eval()


def saved_name(name):
    return name.replace(".default", "")


def compute(model, batch, length, seed):
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, model.config.vocab_size, (batch, length), generator=generator)
    logits = model(input_ids=ids, use_cache=False).logits
    margin = hf_deepseek.smallest_margin(model)
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    golden = {"input_ids": ids.int(), "logits": logits.detach().float(), "loss": loss.detach().float().reshape(1)}
    for name, parameter in model.named_parameters():
        if ".lora_" in name:
            golden["grad." + saved_name(name)] = parameter.grad.float().contiguous()
    return golden, margin


def make(name, folder, golden_root):
    batch, length, settings = ADAPTERS[name]
    for seed in range(1, SEEDS):
        model = adapted(golden_root / name, settings, seed)
        golden, margin = compute(model, batch, length, seed)
        if margin >= SMALLEST_MARGIN:
            break
    else:
        sys.exit(f"{folder}: no seed keeps every choice of experts {SMALLEST_MARGIN} clear")
    shutil.rmtree(folder, ignore_errors=True)
    model.peft_config["default"].base_model_name_or_path = f"tests/golden/{name}"
    for parameter in model.parameters():
        parameter.data = parameter.data.float()
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    assert {"grad." + tensor for tensor in load_file(folder / "adapter_model.safetensors")} == {n for n in golden if n.startswith("grad.")}
    save_file(golden, folder / "golden.safetensors", metadata={"seed": str(seed)})
    print(f"{folder}: seed {seed}, margin {margin:.2e}, loss {golden['loss'].item():.4f}, {len(golden) - 3} tensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", type=Path, metavar="DIR", required=True)
    args = parser.parse_args()
    hf_deepseek.mend()
    hf_llama.mend()
    torch.set_num_threads(1)
    for name in ADAPTERS:
        make(name, args.all / name, Path(__file__).parent.parent / "tests/golden")


if __name__ == "__main__":
    main()
