// fathom info PATH: what a model is and what it costs, from a checkpoint folder or a bare config.json.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/progress.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"
#include "io/checkpoint.h"
#include "model/checkpoint_check.h"
#include "model/config.h"
#include "model/model_folder.h"
#include "model/summary.h"
#include "model/weights.h"

namespace fathom {
namespace {

struct Options {
  std::string path;
  bool json = false;
};

// The type weights and cache are held in.
DType held_dtype(const std::string& path) {
  return config_dtype(config_file(path)) == "float32" ? DType::f32 : DType::bf16;
}

// Bytes of the weights in a model folder, which must be those of this config; 0 when it holds none.
int64_t stored_bytes(const std::string& path, const Config& config) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const bool has_weights = fs::exists(fs::path(path) / "model.safetensors", ignored) ||
                           fs::exists(fs::path(path) / "model.safetensors.index.json", ignored);
  if (!has_weights) return 0;
  const CheckpointReader checkpoint(path);
  check_checkpoint(config, checkpoint);
  return checkpoint.bytes();
}

void print_json(const Config& c, DType dtype, int64_t stored) {
  const CacheBytes cache = cache_bytes_per_token(c, dtype);
  const int64_t n = parameter_count(c);
  OrderedJson j = {
      {"parameters", n},
      {"active_parameters", active_parameter_count(c, false)},
      {"active_parameters_with_input_embedding", active_parameter_count(c, true)},
      {"weight_bytes",
       {{"f32", checkpoint_bytes(c, DType::f32)}, {"bf16", checkpoint_bytes(c, DType::bf16)}}},
      {"kv_cache_bytes_per_token",
       {{c.is_mla() ? "mla" : "own", cache.own},
        {"mha", cache.mha},
        {"gqa8", cache.gqa8},
        {"mqa", cache.mqa}}},
      {"kv_cache_dtype", name_of(dtype)},
      {"layers", c.num_hidden_layers},
      {"moe_layers", c.n_moe_layers()},
      {"num_labels", c.num_labels},
      {"max_position_embeddings", c.max_position_embeddings},
  };
  if (stored > 0) j["stored_weight_bytes"] = stored;
  print_output("{}\n", j.dump(2));
}

std::string attention_text(const Config& c) {
  if (!c.is_mla())
    return fmt::format("{}, {} heads of {}", attention_name(c), c.num_attention_heads, c.qk_head_dim());
  const std::string query = c.q_lora_rank ? fmt::format("query latent {}", c.q_lora_rank) : "no query latent";
  return fmt::format("MLA, {} heads of {}+{} / {}, latent {}, {}", c.num_attention_heads, c.qk_nope_head_dim,
                     c.qk_rope_head_dim, c.v_head_dim, c.kv_lora_rank, query);
}

std::string experts_text(const Config& c) {
  if (c.n_routed_experts == 0) return "none, every layer is dense";
  std::string text = fmt::format("{} of {} routed per token, {} shared, width {}", c.num_experts_per_tok,
                                 c.n_routed_experts, c.n_shared_experts, c.moe_intermediate_size);
  if (c.expert_groups() > 1) text += fmt::format(", from {} of {} groups", c.topk_group, c.n_group);
  if (c.topk_method == TopkMethod::noaux_tc) text += ", chosen with a bias";
  return text;
}

std::string context_text(const Config& c) {
  const RopeScaling& r = c.rope_scaling;
  std::string text = fmt::format("{} tokens", c.max_position_embeddings);
  if (r.type == RopeType::yarn)
    text += fmt::format(" (YaRN, {} x {})", r.factor, r.original_max_position_embeddings);
  if (r.type == RopeType::linear) text += fmt::format(" (linear scaling by {})", r.factor);
  return text;
}

// 2355712 -> "2,355,712"
std::string with_commas(int64_t n) {
  std::string s = std::to_string(n);
  for (int at = static_cast<int>(s.size()) - 3; at > 0; at -= 3) s.insert(at, ",");
  return s;
}

void print_text(const Config& c, DType dtype, int64_t stored) {
  const auto line = [](const char* name, const std::string& value) {
    print_output("{:<18}{}\n", name, value);
  };
  const int64_t n = parameter_count(c), active = active_parameter_count(c, false);
  line("layers", fmt::format("{} ({} MoE), hidden {}, vocabulary {}", c.num_hidden_layers, c.n_moe_layers(),
                             c.hidden_size, c.vocab_size));
  line("attention", attention_text(c));
  line("experts", experts_text(c));
  if (c.has_score_head()) line("head", fmt::format("scores, {} a text", c.num_labels));
  line("context", context_text(c));
  line("parameters", with_commas(n));
  line("active per token", fmt::format("{} ({} with the input embedding)", with_commas(active),
                                       with_commas(active_parameter_count(c, true))));
  const auto bytes_in = [&](DType type) {
    return human_bytes(static_cast<double>(checkpoint_bytes(c, type)));
  };
  line("weights", fmt::format("{} in f32, {} in bf16", bytes_in(DType::f32), bytes_in(DType::bf16)));
  if (stored > 0) line("stored", human_bytes(static_cast<double>(stored)));
  const CacheBytes cache = cache_bytes_per_token(c, dtype);
  print_output("cache per token in {}:\n", name_of(dtype));
  const auto row = [&](const char* name, int64_t bytes) {
    print_output("  {:<16}{:>10}   {:.1f}x\n", name, human_bytes(static_cast<double>(bytes)),
                 static_cast<double>(bytes) / static_cast<double>(cache.own));
  };
  row(attention_name(c).c_str(), cache.own);
  row("MHA", cache.mha);
  row("GQA, 8 groups", cache.gqa8);
  row("MQA", cache.mqa);
}

}  // namespace

void add_info(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("info", "Parameters, weight bytes and cache bytes of a model");
  command->add_option("path", options->path, "model folder or config.json")->required();
  command->add_flag("--json", options->json, "print JSON");
  command->callback([options] {
    check_model_folder(options->path);
    const Config config = read_config(options->path);
    const DType dtype = held_dtype(options->path);
    (options->json ? print_json : print_text)(config, dtype, stored_bytes(options->path, config));
  });
}

}  // namespace fathom
