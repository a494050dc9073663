// A text of one sentence, and the start of a recipe: a model that learns it in a few steps.
#pragma once
#include <string>

namespace fathom::testing {

// JSON lines, 400 of them.
inline std::string small_text() {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text += "{\"text\": \"the low sun and the lower moon, " + std::to_string(i) + "\"}\n";
  return text;
}

// [model], to which more of its keys may be added, for a vocabulary of 280.
inline const std::string small_recipe_model = R"([model]
vocab_size = 280
hidden_size = 16
num_hidden_layers = 2
intermediate_size = 24
num_attention_heads = 2
q_lora_rank = 0
kv_lora_rank = 8
qk_nope_head_dim = 8
qk_rope_head_dim = 4
v_head_dim = 8
n_routed_experts = 4
num_experts_per_tok = 2
moe_intermediate_size = 8
first_k_dense_replace = 1
)";

}  // namespace fathom::testing
