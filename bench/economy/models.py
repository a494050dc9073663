"""The models that are compared, as [model] tables of recipes, and the sizes of a run on a GPU and on two cores."""

from dataclasses import dataclass

# Paper section 3.1.2: weights of the expert-level, device-level and communication balance loss.
BALANCE = {"aux_loss_alpha": 0.003, "device_balance_alpha": 0.05, "communication_balance_alpha": 0.02}


# Heads have together twice as many columns as the hidden state: like DeepSeek-V2, whose latent is small beside them.
def llama(hidden, layers, groups, ffn, head=32):
    """A dense model with grouped-query attention: heads of `head` columns, `groups` of keys and values."""
    return {
        "model_type": "llama", "hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": ffn,
        "num_attention_heads": 2 * hidden // head, "num_key_value_heads": groups, "head_dim": head,
    }  # fmt: skip


def mla(hidden, head=32):
    """Multi-head latent attention in the paper's proportions (section 2.1): a latent of 4 heads, a rotary key of half a head."""
    return {
        "num_attention_heads": 2 * hidden // head, "q_lora_rank": 0, "kv_lora_rank": 4 * head, "qk_nope_head_dim": head,
        "qk_rope_head_dim": head // 2, "v_head_dim": head,
    }  # fmt: skip


def grouped(hidden, groups, head=32):
    """Grouped-query attention in a model with experts, DeepSeekMoE's form."""
    return {"model_type": "deepseek", "num_attention_heads": 2 * hidden // head, "num_key_value_heads": groups, "head_dim": head}


def experts(hidden, layers, ffn, width, routed, active, shared=2):
    """DeepSeekMoE after a dense first layer."""
    return {
        "hidden_size": hidden, "num_hidden_layers": layers, "intermediate_size": ffn, "first_k_dense_replace": 1,
        "n_routed_experts": routed, "n_shared_experts": shared, "num_experts_per_tok": active, "moe_intermediate_size": width,
        "aux_loss_alpha": BALANCE["aux_loss_alpha"],
    }  # fmt: skip


@dataclass
class Model:
    name: str
    fields: dict
    lr: float

    @property
    def moe(self):
        return self.fields.get("n_routed_experts", 0) > 0


@dataclass
class Scale:
    vocabulary: int
    sequence_length: int
    sequences: int  # of a step
    steps: int
    validation: int  # sequences
    micro_batch: int
    precision: str
    moe: list  # with MLA, smallest first
    dense: list  # smallest first
    attention: tuple  # (hidden, fields of the experts, groups of GQA, lr): the model whose attention changes
    balance: tuple  # (fields, lr): the model whose balance losses change, with groups of experts
    balance_steps: int
    context: int  # of generation: prompt and answer
    answer: int
    items: int  # of the task
    passage: int  # characters of an item's passage, at most
    answer_length: int  # and of an answer
    memory: float  # bytes of weights and cache that generation may take
    initializer_range: float = 0.02


def balanced(fields, groups, used):
    """With device-limited routing and room for the average load: what the balance losses are for."""
    return fields | {"topk_method": "group_limited_greedy", "n_group": groups, "topk_group": used, "capacity_factor": 1.0}


SMALL, MEDIUM = experts(256, 6, 704, 64, 48, 6), experts(384, 8, 1056, 96, 48, 6)
TINY, LITTLE = experts(64, 3, 176, 16, 16, 4), experts(128, 3, 352, 32, 16, 4)

SCALES = {
    "gpu": Scale(
        vocabulary=8192, sequence_length=512, sequences=48, steps=2200, validation=256, micro_batch=48, precision="bf16",
        moe=[Model("MoE + MLA, S", SMALL | mla(256), 3e-3), Model("MoE + MLA, M", MEDIUM | mla(384), 2.5e-3)],
        dense=[
            Model("dense GQA-8, 256 x 6", llama(256, 6, 8, 704), 3e-3),
            Model("dense GQA-8, 384 x 8", llama(384, 8, 8, 1056), 2.5e-3),
            Model("dense GQA-8, 512 x 10", llama(512, 10, 8, 1408), 2e-3),
            Model("dense GQA-8, 768 x 10", llama(768, 10, 8, 2112), 1.5e-3),
        ],
        attention=(256, SMALL, 8, 3e-3),
        balance=(balanced(SMALL | mla(256), 8, 3), 3e-3), balance_steps=600,
        context=32768, answer=64, memory=12e9, items=4000, passage=600, answer_length=300,
    ),
    "cpu": Scale(
        vocabulary=1024, sequence_length=64, sequences=8, steps=60, validation=32, micro_batch=8, precision="f32",
        moe=[Model("MoE + MLA, S", TINY | mla(64, 16), 8e-3), Model("MoE + MLA, M", LITTLE | mla(128, 16), 6e-3)],
        dense=[
            Model("dense GQA-2, 32 x 2", llama(32, 2, 2, 88, 16), 8e-3),
            Model("dense GQA-2, 64 x 3", llama(64, 3, 2, 176, 16), 8e-3),
            Model("dense GQA-2, 128 x 4", llama(128, 4, 2, 352, 16), 6e-3),
        ],
        attention=(64, TINY, 2, 8e-3),
        balance=(balanced(TINY | mla(64, 16), 4, 2), 8e-3), balance_steps=60,
        context=512, answer=8, memory=2e7, items=60, passage=60, answer_length=60, initializer_range=0.05,
    ),
}  # fmt: skip


def attention_models(scale):
    """The same experts with MHA, GQA, MQA and MLA (tables 8 and 9 of the paper)."""
    hidden, fields, groups, lr = scale.attention
    head = scale.moe[0].fields["v_head_dim"]
    heads = 2 * hidden // head
    kinds = {"MHA": heads, f"GQA-{groups}": groups, "MQA": 1}
    models = [Model(f"MoE, {kind}", fields | grouped(hidden, g, head), lr) for kind, g in kinds.items()]
    latent = fields | mla(hidden, head)
    return [*models, next((m for m in scale.moe if m.fields == latent), Model("MoE, MLA", latent, lr))]


def balance_models(scale):
    """All three balance losses, all but one, and none."""
    fields, lr = scale.balance
    labels = dict(zip(BALANCE, ("expert", "device", "communication")))
    models = [Model("all three losses", fields | BALANCE, lr)]
    models += [Model(f"without the {label} loss", fields | BALANCE | {key: 0.0}, lr) for key, label in labels.items()]
    return [*models, Model("without any", fields | dict.fromkeys(BALANCE, 0.0), lr)]
