// Which configurations can work: every rule once, its Error naming the field.
#include <initializer_list>

#include "base/error.h"
#include "model/config.h"

namespace fathom {
namespace {

constexpr int64_t largest_size = int64_t{1} << 24;    // of any one dimension
constexpr int64_t largest_length = int64_t{1} << 30;  // of a context

class Rules {
 public:
  explicit Rules(const std::string& where) : where_(where) {}

  void in_range(const char* field, int64_t value, int64_t low, int64_t high = largest_size) const {
    check(value >= low && value <= high, "{}: field '{}' is {}: expected {} to {}", where_, field, value, low,
          high);
  }
  void positive(const char* field, double value) const {
    check(value >= 1e-9 && value < 1e12, "{}: field '{}' is {}: expected a positive number, 1e-9 to 1e12",
          where_, field, value);
  }
  void not_negative(const char* field, double value) const {
    check(value >= 0 && value < 1e12, "{}: field '{}' is {}: expected 0 or more", where_, field, value);
  }
  void holds(bool condition, const char* field, int64_t value, const std::string& must) const {
    check(condition, "{}: field '{}' is {}: {}", where_, field, value, must);
  }
  const std::string& where() const { return where_; }

 private:
  const std::string& where_;
};

void check_latents(const Config& c, const Rules& rules) {
  rules.in_range("q_lora_rank", c.q_lora_rank, 0);
  rules.in_range("kv_lora_rank", c.kv_lora_rank, 1);
  rules.in_range("qk_nope_head_dim", c.qk_nope_head_dim, 1, 4096);
}
void check_groups(const Config& c, const Rules& rules) {
  rules.in_range("num_key_value_heads", c.num_key_value_heads, 1, c.num_attention_heads);
  rules.holds(c.num_attention_heads % c.num_key_value_heads == 0, "num_key_value_heads",
              c.num_key_value_heads,
              fmt::format("it must divide num_attention_heads, {}", c.num_attention_heads));
}

void check_attention(const Config& c, const Rules& rules) {
  rules.in_range("num_attention_heads", c.num_attention_heads, 1, 4096);
  if (c.is_mla())
    check_latents(c, rules);
  else
    check_groups(c, rules);
  const char* rotary = c.is_mla() ? "qk_rope_head_dim" : "head_dim";
  rules.in_range(rotary, c.qk_rope_head_dim, 2, 4096);
  rules.holds(c.qk_rope_head_dim % 2 == 0, rotary, c.qk_rope_head_dim, "it must be even (rotary pairs)");
  rules.in_range("v_head_dim", c.v_head_dim, 1, 4096);
  rules.positive("rope_theta", c.rope_theta);
  const RopeScaling& r = c.rope_scaling;
  if (r.type == RopeType::plain) return;
  rules.positive("rope_scaling.factor", r.factor);
  rules.not_negative("rope_scaling.mscale_all_dim", r.mscale_all_dim);
  if (r.type == RopeType::linear) return;
  check(c.rope_theta > 1, "{}: field 'rope_theta' is {}: YaRN needs more than 1", rules.where(),
        c.rope_theta);
  rules.in_range("rope_scaling.original_max_position_embeddings", r.original_max_position_embeddings, 1,
                 largest_length);
  rules.not_negative("rope_scaling.mscale", r.mscale);
  rules.not_negative("rope_scaling.attention_factor", r.attention_factor.value_or(1));
  rules.positive("rope_scaling.beta_fast", r.beta_fast);
  rules.positive("rope_scaling.beta_slow", r.beta_slow);
}

void check_moe(const Config& c, const Rules& rules) {
  rules.in_range("n_routed_experts", c.n_routed_experts, 0, 65536);
  if (c.n_routed_experts == 0) return;
  rules.in_range("n_shared_experts", c.n_shared_experts, 0, 4096);
  rules.in_range("num_experts_per_tok", c.num_experts_per_tok, 1, c.n_routed_experts);
  rules.in_range("moe_intermediate_size", c.moe_intermediate_size, 1);
  rules.in_range("first_k_dense_replace", c.first_k_dense_replace, 0);
  rules.in_range("moe_layer_freq", c.moe_layer_freq, 1);
  rules.positive("routed_scaling_factor", c.routed_scaling_factor);
  rules.not_negative("aux_loss_alpha", c.aux_loss_alpha);
  if (c.topk_method == TopkMethod::greedy) return;
  rules.in_range("n_group", c.n_group, 1, c.n_routed_experts);
  rules.holds(c.n_routed_experts % c.n_group == 0, "n_group", c.n_group, "it must divide n_routed_experts");
  rules.in_range("topk_group", c.topk_group, 1, c.n_group);
  rules.holds(c.num_experts_per_tok <= c.n_routed_experts / c.n_group * c.topk_group, "num_experts_per_tok",
              c.num_experts_per_tok, "the topk_group groups hold fewer experts");
}

constexpr double largest_product = 0x1p54;  // so that no count of parameters or of their bytes overflows

struct Factor {
  const char* field;
  int64_t value;
};

void check_product(const std::string& where, std::initializer_list<Factor> factors) {
  double product = 1;
  std::string named;
  for (const Factor& f : factors) {
    product *= static_cast<double>(f.value);
    named += fmt::format("{}'{}' {}", named.empty() ? "" : " x ", f.field, f.value);
  }
  check(product <= largest_product, "{}: the model is too large: {} is about {:.1e}", where, named, product);
}

// Every field is in its range already; here the products of them that weights have as their sizes.
void check_products(const Config& c, const std::string& where) {
  const Factor L{"num_hidden_layers", c.num_hidden_layers}, C{"hidden_size", c.hidden_size},
      H{"num_attention_heads", c.num_attention_heads}, F{"moe_intermediate_size", c.moe_intermediate_size};
  check_product(where, {{"vocab_size", c.vocab_size}, C});
  check_product(where, {L, {"intermediate_size", c.intermediate_size}, C});
  check_product(where, {L, {"q_lora_rank", c.q_lora_rank}, C});
  check_product(where, {L, {"kv_lora_rank", c.kv_lora_rank}, C});
  for (const Factor& width : {Factor{"hidden_size", c.hidden_size}, Factor{"q_lora_rank", c.q_lora_rank},
                              Factor{"kv_lora_rank", c.kv_lora_rank}})
    for (const Factor& dim :
         {Factor{"qk_nope_head_dim", c.qk_nope_head_dim}, Factor{"qk_rope_head_dim", c.qk_rope_head_dim},
          Factor{"v_head_dim", c.v_head_dim}})
      check_product(where, {L, H, dim, width});
  if (c.n_routed_experts == 0) return;
  check_product(where, {L, {"n_routed_experts", c.n_routed_experts}, F, C});
  check_product(where, {L, {"n_shared_experts", c.n_shared_experts}, F, C});
}

}  // namespace

void check_config(const Config& c, const std::string& where) {
  const Rules rules(where);
  rules.in_range("vocab_size", c.vocab_size, 1);
  rules.in_range("hidden_size", c.hidden_size, 1);
  rules.in_range("num_hidden_layers", c.num_hidden_layers, 1, 4096);
  rules.in_range("intermediate_size", c.intermediate_size, 1);
  rules.in_range("max_position_embeddings", c.max_position_embeddings, 1, largest_length);
  check_attention(c, rules);
  check_moe(c, rules);
  check(c.rms_norm_eps >= 0 && c.rms_norm_eps < 1, "{}: field 'rms_norm_eps' is {}: expected 0 to 1", where,
        c.rms_norm_eps);
  check(c.initializer_range >= 0 && c.initializer_range < 100,
        "{}: field 'initializer_range' is {}: expected 0 to 100", where, c.initializer_range);
  if (c.has_score_head()) rules.in_range("num_labels", c.num_labels, 1, 1 << 16);
  if (c.pad_token_id) rules.in_range("pad_token_id", *c.pad_token_id, 0, c.vocab_size - 1);
  check_products(c, where);
}

}  // namespace fathom
