"""The small DeepSeek-V2 shapes whose golden folders lie in tests/golden; each one is there for what its comment says.

`form` chooses how the checkpoint is written:
  deepseek - as DeepSeek publishes: rope_theta and rope_scaling, torch_dtype, one tensor per expert, sharded with an index;
  hf       - as transformers' save_pretrained writes: rope_parameters, dtype, one tensor per expert;
  fused    - as save_pretrained(save_original_format=False) writes: experts.gate_up_proj and experts.down_proj.
"""


def yarn(factor, original, mscale, mscale_all_dim):
    return {
        "type": "yarn", "factor": factor, "original_max_position_embeddings": original, "beta_fast": 32, "beta_slow": 1,
        "mscale": mscale, "mscale_all_dim": mscale_all_dim,
    }


COMMON = {
    "attention_bias": False, "attention_dropout": 0.0, "aux_loss_alpha": 0.001, "bos_token_id": 0, "ep_size": 1,
    "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 32, "initializer_range": 0.02, "intermediate_size": 48,
    "kv_lora_rank": 16, "max_position_embeddings": 128, "model_type": "deepseek_v2", "moe_intermediate_size": 8,
    "moe_layer_freq": 1, "n_group": 1, "n_routed_experts": 8, "n_shared_experts": 2, "norm_topk_prob": False,
    "num_attention_heads": 4, "num_experts_per_tok": 2, "num_hidden_layers": 2, "num_key_value_heads": 4, "pretraining_tp": 1,
    "q_lora_rank": None, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "rms_norm_eps": 1e-6, "rope_scaling": None,
    "rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "seq_aux": True, "tie_word_embeddings": False,
    "topk_group": 1, "topk_method": "greedy", "use_cache": True, "v_head_dim": 8, "vocab_size": 96,
}  # fmt: skip

PRESETS = {
    # V2: query latent, 4 groups of which 2 may be used, scaled weights, one dense layer first; bf16 in three files.
    "v2_like": {
        "form": "deepseek", "dtype": "bfloat16", "shards": 3,
        "num_hidden_layers": 3, "q_lora_rank": 12, "n_routed_experts": 16, "num_experts_per_tok": 3, "n_group": 4,
        "topk_group": 2, "topk_method": "group_limited_greedy", "routed_scaling_factor": 2.5, "max_position_embeddings": 1280,
        "rope_scaling": yarn(40, 32, 0.707, 0.707),
    },
    # V2-Lite: no query latent, plain top-k, no groups; the early spelling "gready"; two files.
    "lite_like": {
        "form": "deepseek", "shards": 2, "topk_method": "gready", "num_experts_per_tok": 3, "n_routed_experts": 12,
        "max_position_embeddings": 1280, "rope_scaling": yarn(40, 32, 0.707, 0.707),
    },
    # YaRN at positions three times past the original length; as save_pretrained writes it.
    "yarn_long": {
        "form": "hf", "length": 96, "vocab_size": 64, "qk_rope_head_dim": 16, "rope_scaling": yarn(4, 32, 0.707, 0.707),
    },
    # mscale differs from mscale_all_dim, so cos and sin carry a factor; another theta; fused experts, two files.
    "yarn_split": {
        "form": "fused", "shards": 2, "q_lora_rank": 12, "qk_rope_head_dim": 16, "rope_theta": 1000,
        "max_position_embeddings": 2048, "rope_scaling": yarn(4, 512, 1.0, 0.5),
    },
    # Biases, normalised expert weights, every second layer routed, value width unlike key width; bf16 with f32 routers.
    "bias_norm": {
        "form": "hf", "dtype": "bfloat16", "attention_bias": True, "norm_topk_prob": True, "moe_layer_freq": 2,
        "num_hidden_layers": 4, "first_k_dense_replace": 1, "q_lora_rank": 20, "v_head_dim": 12, "routed_scaling_factor": 3.0,
        "n_routed_experts": 10, "num_experts_per_tok": 4,
    },
    # Hardly a power of two; a YaRN ramp of no width; all layers routed; an eps that only the block norms take (the latent norms keep 1e-6).
    "odd_sizes": {
        "form": "hf", "hidden_size": 45, "num_attention_heads": 3, "num_key_value_heads": 3, "qk_nope_head_dim": 24,
        "qk_rope_head_dim": 6, "v_head_dim": 17, "kv_lora_rank": 14, "vocab_size": 97, "n_routed_experts": 6,
        "num_experts_per_tok": 3, "n_shared_experts": 1, "moe_intermediate_size": 7, "intermediate_size": 35,
        "first_k_dense_replace": 0, "n_group": 3, "topk_group": 2, "topk_method": "group_limited_greedy", "length": 37,
        "batch": 3, "rms_norm_eps": 1e-2, "rope_scaling": yarn(4, 6, 0.8, 0.8),
    },
    # The head sizes of every DeepSeek-V2 (128 + 64 and 128, a latent of 512 + 64), widths of whole tiles and rows enough for the
    # kernels that real models use: more than 32 rows an expert. Gradients in bf16, as the weights, to keep it small.
    "real_heads": {
        "form": "deepseek", "dtype": "bfloat16", "gradients": "bfloat16", "length": 128, "hidden_size": 64, "intermediate_size": 128,
        "num_attention_heads": 2, "num_key_value_heads": 2, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "kv_lora_rank": 512, "q_lora_rank": 64, "n_routed_experts": 8, "num_experts_per_tok": 3, "n_shared_experts": 1,
        "moe_intermediate_size": 64, "n_group": 4, "topk_group": 2, "topk_method": "group_limited_greedy",
        "routed_scaling_factor": 2.5, "max_position_embeddings": 1280, "rope_scaling": yarn(40, 32, 0.707, 0.707),
    },
    # Experts chosen by score + bias, from the groups with the highest sum of two (DeepSeek-V3's noaux_tc); bf16, the bias in f32.
    "noaux_tc": {
        "form": "deepseek", "dtype": "bfloat16", "num_hidden_layers": 3, "n_routed_experts": 12, "num_experts_per_tok": 3, "n_group": 4,
        "topk_group": 2, "topk_method": "noaux_tc", "routed_scaling_factor": 2.5,
    },
    # attention_factor is the factor of cos and sin, whatever the mscales say; the softmax scale keeps mscale_all_dim.
    "attention_factor": {
        "form": "deepseek", "rope_scaling": {**yarn(4, 8, 1.0, 0.5), "attention_factor": 0.8},
    },
    # rope_theta inside rope_scaling, and another one outside: the inner one is used.
    "inner_theta": {
        "form": "deepseek", "rope_scaling": {**yarn(4, 32, 0.707, 0.707), "rope_theta": 50},
    },
    # The head is the embedding; the checkpoint also holds a head of other values, which is not used.
    "tied_stale_head": {
        "form": "deepseek", "tie_word_embeddings": True, "stale_head": True,
    },
    # Models that MLA is compared with: grouped-query attention, dense (transformers' Llama) and ...
    "llama": {"model": "llama", "num_key_value_heads": 2, "length": 40},
    # ... one head of keys and values for all, with YaRN past the original length; bf16.
    "llama_mqa": {
        "model": "llama", "num_key_value_heads": 1, "dtype": "bfloat16", "head_dim": 12, "length": 60, "rope_theta": 5000,
        "rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 24},
    },
    # DeepSeekMoE, the paper's predecessor: DeepSeek-V2's experts with multi-head attention in Llama's form.
    "deepseek_moe": {"model": "deepseek", "form": "deepseek", "num_key_value_heads": 4, "n_routed_experts": 8, "num_experts_per_tok": 3},
}  # fmt: skip

# What the config.json of the other two models has of COMMON.
LLAMA = (
    "attention_bias", "attention_dropout", "bos_token_id", "hidden_act", "hidden_size", "initializer_range", "intermediate_size",
    "max_position_embeddings", "model_type", "num_attention_heads", "num_hidden_layers", "rms_norm_eps", "rope_scaling", "rope_theta",
    "tie_word_embeddings", "use_cache", "vocab_size",
)  # fmt: skip
EXPERTS = (
    "aux_loss_alpha", "first_k_dense_replace", "moe_intermediate_size", "moe_layer_freq", "n_routed_experts", "n_shared_experts",
    "norm_topk_prob", "num_experts_per_tok", "scoring_func", "seq_aux",
)  # fmt: skip
FIELDS = {"deepseek_v2": tuple(COMMON), "llama": LLAMA, "deepseek": LLAMA + EXPERTS}


# How a checkpoint is written and run unless its preset says otherwise.
HOW = {"form": "hf", "dtype": "float32", "shards": 1, "batch": 2, "length": 28, "gradients": "float32", "stale_head": False}


def preset(name):
    """(config.json of DeepSeek's form, how to write and run it)."""
    chosen = dict(PRESETS[name])
    how = {key: chosen.pop(key, default) for key, default in HOW.items()}
    model = chosen.pop("model", "deepseek_v2")
    return {**{key: COMMON[key] for key in FIELDS[model]}, **chosen, "model_type": model}, how
