// The hyper-parameters of a DeepSeek-V2 model, under their Hugging Face names: read this file first.
//
// Letters used in shape comments everywhere:
//   N tokens in the batch (sequences packed one after another), B sequences, C hidden_size, V vocab_size
//   H num_attention_heads; Rq q_lora_rank, Rkv kv_lora_rank (the two latents of MLA)
//   Dn qk_nope_head_dim, Dr qk_rope_head_dim, Dv v_head_dim (parts of a head)
//   E n_routed_experts, K num_experts_per_tok, F moe_intermediate_size (width of one routed expert)
//   D expert groups, M groups that a token may use (device-limited routing)
//   G num_key_value_heads, of grouped-query attention (models for comparison)
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/lora.h"

namespace fathom {

enum class RopeType { plain, linear, yarn };

// How rotary frequencies are changed for contexts longer than those trained: all divided by `factor`
// (linear), or by YaRN (Peng et al. 2023; paper section 3.1.4), the slow ones only.
struct RopeScaling {
  RopeType type = RopeType::plain;
  double factor = 1;                                // s, the stretch
  int64_t original_max_position_embeddings = 4096;  // the length trained before the stretch
  // Dimensions that rotate more often than beta_fast times in the original length are kept, those that rotate
  // less often than beta_slow times are stretched; `truncate` rounds the two limits to whole dimensions.
  double beta_fast = 32, beta_slow = 1;
  bool truncate = true;
  // cos and sin are multiplied by attention_factor. Without one it is m(mscale) / m(mscale_all_dim), or m(1)
  // unless both are given (not 0); m(x) = 0.1 * x * ln(factor) + 1.
  std::optional<double> attention_factor;
  double mscale = 0;
  double mscale_all_dim = 0;  // not 0: also multiplies the softmax scale by m(mscale_all_dim)^2

  bool operator==(const RopeScaling&) const = default;
};

// How a token's K experts are chosen: the best; the best of the topk_group groups with the best expert; or,
// as DeepSeek-V3 does, the best by score + bias of the groups whose two best have the highest sum (noaux_tc,
// ops/router.h), where the bias balances the experts' load (ops/router_bias.h).
enum class TopkMethod { greedy, group_limited_greedy, noaux_tc };

struct Config {
  int64_t vocab_size = 102400;  // V
  int64_t hidden_size = 4096;   // C, width of the residual stream
  int64_t num_hidden_layers = 30;
  int64_t intermediate_size = 11008;       // width of the dense MLPs (the first layers)
  int64_t max_position_embeddings = 2048;  // longest context

  // Multi-head latent attention (paper section 2.1)
  int64_t num_attention_heads = 32;  // H
  int64_t q_lora_rank = 0;     // Rq, the query latent; 0: queries straight from the hidden state (V2-Lite)
  int64_t kv_lora_rank = 512;  // Rkv, the cached key-value latent
  int64_t qk_nope_head_dim = 128;  // Dn, per-head key and query part without position
  int64_t qk_rope_head_dim = 64;   // Dr, the decoupled rotary part; its key is shared by all heads
  int64_t v_head_dim = 128;        // Dv
  bool attention_bias = false;     // biases on q_a_proj, kv_a_proj_with_mqa and o_proj
  // Not 0: grouped-query attention instead, as Llama has it, for comparison (Ainslie et al. 2023): G heads of
  // keys and values, each shared by H / G heads of queries; H is multi-head, 1 multi-query attention. A head
  // is one rotary part (qk_nope_head_dim is 0), the two latent ranks are 0.
  int64_t num_key_value_heads = 0;  // G
  double rope_theta = 10000;
  RopeScaling rope_scaling;

  // DeepSeekMoE (paper section 2.2)
  int64_t n_routed_experts = 0;          // E; 0: every layer is dense
  int64_t n_shared_experts = 0;          // held as one MLP of n_shared_experts * F
  int64_t num_experts_per_tok = 0;       // K
  int64_t moe_intermediate_size = 1407;  // F
  int64_t first_k_dense_replace = 0;     // the first layers have a dense MLP
  int64_t moe_layer_freq = 1;            // after them, layers whose index divides by this are MoE
  TopkMethod topk_method = TopkMethod::greedy;
  int64_t n_group = 1, topk_group = 1;  // not greedy: expert groups, and how many a token may use
  bool norm_topk_prob = false;          // with K >= 2: normalise the K weights to sum 1 ...
  double routed_scaling_factor = 1;     // ... otherwise multiply them by this
  double aux_loss_alpha = 0.001;        // weight of the expert-level balance loss in training
  bool seq_aux = true;                  // balance per sequence; false: over the whole step

  double rms_norm_eps = 1e-6;
  double initializer_range = 0.02;
  bool tie_word_embeddings = false;
  // Not 0: the head is no language model's but `score`, which gives so many numbers for a text: a reward
  // model, transformers' ...ForSequenceClassification. The last token's are the text's. transformers finds
  // that token as the last whose id is not pad_token_id; fathom knows lengths.
  int64_t num_labels = 0;
  std::optional<int64_t> pad_token_id;  // kept with such a head
  std::string problem_type;             // which loss transformers takes for labels; kept with such a head
  std::optional<int64_t> bos_token_id = 1;
  std::vector<int64_t> eos_token_ids = {2};  // any of them ends a text; none: nothing does

  // Adapters beside the projections, whose weights are then frozen. They are no part of config.json but of a
  // folder of their own (model/adapter_folder.h).
  Lora lora;

  int64_t qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
  bool is_mla() const { return num_key_value_heads == 0; }
  // Heads of keys and values that attention reads, and the columns of each: its own part of the key, the
  // value.
  int64_t kv_heads() const { return is_mla() ? num_attention_heads : num_key_value_heads; }
  int64_t kv_head_dim() const { return (is_mla() ? qk_nope_head_dim : qk_head_dim()) + v_head_dim; }
  // Elements cached per token and layer: the latent and the shared rotary key, or G keys and values.
  int64_t cache_width() const {
    return is_mla() ? kv_lora_rank + qk_rope_head_dim : kv_heads() * kv_head_dim();
  }
  bool is_moe_layer(int64_t layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
  }
  int64_t n_moe_layers() const;
  bool has_score_head() const { return num_labels > 0; }
  // Rows of the head: what it says of a token.
  int64_t head_rows() const { return has_score_head() ? num_labels : vocab_size; }
  // Whether the head is the embedding.
  bool ties_head() const { return tie_word_embeddings && !has_score_head(); }
  // D and M: the groups of experts, and how many of them a token may use. A greedy choice knows one group.
  int64_t expert_groups() const { return topk_method == TopkMethod::greedy ? 1 : n_group; }
  int64_t groups_per_token() const { return topk_method == TopkMethod::greedy ? 1 : topk_group; }

  bool operator==(const Config&) const = default;
};

// Reads config.json as Hugging Face transformers does. Its model_type is deepseek_v2, or of a model with
// grouped-query attention llama (dense) or deepseek (DeepSeekMoE, the paper's predecessor). An absent field
// has the default of its DeepseekV2Config (LlamaConfig, DeepseekConfig), except the sizes that no two models
// share: they are required. A field that would change the results and is not supported is an Error that names
// it, or, where the model still runs, a warning. `where` is in the errors.
Config config_from_json(const Json& json, const std::string& where);
// The config.json that `path` is, or that the folder of this path holds.
std::string config_file(const std::string& path);
// The same, read.
Config read_config(const std::string& path);
// The same model without adapters: what its own folder holds.
Config without_adapters(const Config& config);

// The same model with a head of so many scores. `pad` is saved for transformers, which needs it to score
// texts of several lengths together: Error when it ends texts, since transformers would not score their last
// token.
Config with_score_head(const Config& config, int64_t num_labels, std::optional<int64_t> pad,
                       const std::string& where);
// Error where a score head stands in place of a language model's.
void check_language_model(const Config& config, const std::string& where);
// Throws Error naming the field that cannot work.
void check_config(const Config& config, const std::string& where);

// The Hugging Face config.json of this model, in the rope_scaling + rope_theta form that every release reads.
// `dtype` is the checkpoint's, e.g. "bfloat16".
OrderedJson config_to_json(const Config& config, const std::string& dtype);

}  // namespace fathom
