"""The models that MLA is compared with, as Hugging Face transformers computes them: its own Llama, and DeepSeekMoE (model_type
"deepseek", which transformers lacks) as its DeepSeek-V2 with Llama's attention in place of MLA.

Used by make_golden.py. `mend()` lets Llama's norms and RoPE run in f64 when the model is f64, as hf_deepseek.py does. What was
checked in transformers 5.24.0: RoPE turns pairs of halves of a head; YaRN's temperature is in cos and sin alone.
"""

import torch
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, LlamaConfig, LlamaForCausalLM
from transformers.models.llama import modeling_llama as hf

import hf_deepseek


def rotary_angles(self, x, position_ids):
    frequency, ratio = hf_deepseek.rotary_frequencies(self.config, self.config.head_dim)
    torch.testing.assert_close(frequency.float(), self.original_inv_freq.float().cpu(), rtol=2e-6, atol=0)
    torch.testing.assert_close(ratio, self.attention_scaling)
    dtype = torch.promote_types(x.dtype, torch.float32)
    angle = (position_ids[..., None].double() * frequency).to(dtype)
    angle = torch.cat((angle, angle), dim=-1)
    return (angle.cos() * ratio).to(x.dtype), (angle.sin() * ratio).to(x.dtype)


def mend():
    hf.LlamaRMSNorm.forward = hf_deepseek.rmsnorm
    hf.LlamaRotaryEmbedding.forward = rotary_angles


def llama_config(raw):
    config = LlamaConfig(**{key: value for key, value in raw.items() if key != "model_type"})
    config._attn_implementation = "sdpa"
    return config


def config_of(raw):
    """The transformers config of a config.json."""
    if raw["model_type"] == "llama":
        return llama_config(raw)
    grouped = {"num_key_value_heads", "head_dim"} if raw["model_type"] == "deepseek" else set()
    config = DeepseekV2Config(**{key: value for key, value in raw.items() if key not in grouped | {"model_type"}})
    config._attn_implementation, config._experts_implementation = "sdpa", "eager"
    if grouped:
        config.llama = llama_config(raw)
    return config


def model_of(config):
    if isinstance(config, LlamaConfig):
        return LlamaForCausalLM(config)
    llama = config.__dict__.pop("llama", None)
    model = DeepseekV2ForCausalLM(config)
    if llama:
        model.model.rotary_emb = hf.LlamaRotaryEmbedding(llama)
        for index, layer in enumerate(model.model.layers):
            layer.self_attn = hf.LlamaAttention(llama, index)
        config.__dict__["llama"] = llama
    return model
