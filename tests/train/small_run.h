// A model of a few thousand parameters, a corpus of a few thousand tokens, and a recipe that trains the one
// on the other.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"
#include "text/tokenizer_identity.h"
#include "train/recipe.h"
#include "train/token_shard.h"
#include "train/trainer.h"

namespace fathom::testing {

inline constexpr int32_t small_vocabulary = 40, small_bos = 38, small_eos = 39;

// A tokenizer.json with the small vocabulary; `merge` makes it another one.
inline std::string small_tokenizer(const std::string& merge = "a b") {
  Json vocab = Json::object();
  for (int i = 0; i < small_bos; ++i) vocab["t" + std::to_string(i)] = i;
  const auto added = [](int id, const char* content) {
    return Json{{"id", id}, {"content", content}, {"special", true}};
  };
  const Json tokenizer = {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array({merge})}}},
                          {"added_tokens", {added(small_bos, "<bos>"), added(small_eos, "<eos>")}}};
  return tokenizer.dump();
}
inline TokenVocabulary small_vocabulary_of(const std::string& tokenizer) {
  return {.size = small_vocabulary,
          .bos = small_bos,
          .eos = small_eos,
          .fingerprint = tokenizer_identity(tokenizer, "small")};
}

// Documents of these lengths, BOS and EOS included, that repeat one phrase, so that there is something to
// learn.
inline void write_documents(const std::string& dir, const std::string& split, const std::vector<int>& lengths,
                            uint64_t seed) {
  std::filesystem::create_directories(dir);
  const std::string tokenizer = small_tokenizer();
  TokenShardWriter writer(dir, split, small_vocabulary_of(tokenizer), 1000);
  Rng rng(seed);
  for (const int length : lengths) {
    std::vector<int32_t> text = {small_bos};
    const int start = static_cast<int>(rng.below(12));
    for (int t = 0; t < length - 2; ++t) text.push_back((start + t * t + 3 * t) % 12);
    text.push_back(small_eos);
    writer.add(text);
  }
  writer.finish();
  write_file(dir + "/tokenizer.json", tokenizer);
}
inline void write_corpus(const std::string& dir, const std::string& split, int documents, uint64_t seed) {
  Rng rng(seed);
  std::vector<int> lengths;
  for (int d = 0; d < documents; ++d) lengths.push_back(7 + static_cast<int>(rng.below(40)));
  write_documents(dir, split, lengths, seed);
}

using Flags = std::vector<std::pair<std::string, std::string>>;

// Experts in four groups of two; a token may use two groups.
inline const Flags grouped_experts = {
    {"model.topk_method", "group_limited_greedy"}, {"model.n_group", "4"}, {"model.topk_group", "2"}};
inline Flags joined(Flags flags, const Flags& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

class SmallRun {
 public:
  SmallRun() { write_corpus(dir_ / "data", "train", 150, 1), write_corpus(dir_ / "data", "val", 20, 2); }

  std::string output(const std::string& name) const { return dir_ / name; }
  std::string path(const std::string& name) const { return dir_ / name; }

  // 20 steps of 4 sequences of 24 tokens; `more` overrides.
  Recipe recipe(const std::string& out, const Flags& more = {}) const {
    std::vector<Setting> settings;
    for (const auto& [key, text] : flags(out, more)) settings.push_back(flag_setting(key, text));
    return read_recipe("", settings);
  }
  Flags flags(const std::string& out, const Flags& more = {}) const {
    const Flags small = {{"model.vocab_size", "40"},
                         {"model.hidden_size", "32"},
                         {"model.num_hidden_layers", "3"},
                         {"model.intermediate_size", "48"},
                         {"model.num_attention_heads", "2"},
                         {"model.kv_lora_rank", "16"},
                         {"model.q_lora_rank", "24"},
                         {"model.qk_nope_head_dim", "16"},
                         {"model.qk_rope_head_dim", "8"},
                         {"model.v_head_dim", "16"},
                         {"model.n_routed_experts", "8"},
                         {"model.n_shared_experts", "1"},
                         {"model.num_experts_per_tok", "2"},
                         {"model.moe_intermediate_size", "16"},
                         {"model.first_k_dense_replace", "1"},
                         {"model.aux_loss_alpha", "0.01"},
                         {"data.train", dir_ / "data"},
                         {"data.sequence_length", "24"},
                         {"optimizer.lr", "3e-3"},
                         {"schedule.steps", "20"},
                         {"schedule.warmup_steps", "3"},
                         {"batch.sequences", "4"},
                         {"batch.micro_batch", "2"},
                         {"run.output", output(out)},
                         {"run.threads", "1"},
                         {"checkpoint.every", "5"}};
    return joined(small, more);
  }

 private:
  TempDir dir_;
};

// `fathom train` with the small model, and these flags on top.
inline std::string fathom_train(const SmallRun& small, const std::string& out, const Flags& more = {}) {
  std::map<std::string, std::string> flags;
  for (const auto& [key, value] : small.flags(out, more)) flags[key] = value;
  std::string command = program() + " train";
  for (const auto& [key, value] : flags) command += " --" + key + " '" + value + "'";
  return command;
}

// All weights as they lie in memory.
inline std::string weight_bytes_of(const Trainer& trainer) {
  const Arena& memory = trainer.model().memory;
  return {reinterpret_cast<const char*>(memory.data()), static_cast<size_t>(memory.size())};
}

}  // namespace fathom::testing
