#include "engine/generation_config.h"

#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "io/descriptor.h"

namespace fathom {
namespace {

constexpr int64_t default_top_k = 50;  // transformers' own, wherever a file that samples names none

// eos_token_id is a number or a list of them.
std::vector<int64_t> eos_ids(const JsonObject& o, const Config& config) {
  const Json id = o.optional<Json>("eos_token_id", nullptr);
  if (id.is_null()) return config.eos_token_ids;
  const JsonPlace place{o.where(), "eos_token_id"};
  if (id.is_array()) return read_value<std::vector<int64_t>>(id, place);
  return {read_value<int64_t>(id, place)};
}

// A setting that transformers obeys and fathom does not, and the value with which it does nothing.
struct Setting {
  const char* key;
  double neutral = 0;  // false, null, [] and {} do nothing either
  bool only_sampling = false;
};

constexpr Setting unsupported[] = {{"repetition_penalty", 1},
                                   {"encoder_repetition_penalty", 1},
                                   {"no_repeat_ngram_size"},
                                   {"encoder_no_repeat_ngram_size"},
                                   {"typical_p", 1, true},
                                   {"epsilon_cutoff", 0, true},
                                   {"eta_cutoff", 0, true},
                                   {"top_h", 0, true},
                                   {"penalty_alpha"},
                                   {"num_beams", 1},
                                   {"num_beam_groups", 1},
                                   {"num_return_sequences", 1},
                                   {"diversity_penalty"},
                                   {"guidance_scale", 1},
                                   {"min_length"},
                                   {"min_new_tokens"},
                                   {"max_length"},
                                   {"max_new_tokens"},
                                   {"max_time"},
                                   {"stop_strings"},
                                   {"bad_words_ids"},
                                   {"force_words_ids"},
                                   {"constraints"},
                                   {"suppress_tokens"},
                                   {"begin_suppress_tokens"},
                                   {"forced_bos_token_id", -1},
                                   {"forced_eos_token_id", -1},
                                   {"sequence_bias"},
                                   {"exponential_decay_length_penalty"},
                                   {"token_healing"},
                                   {"watermarking_config"},
                                   {"dola_layers"}};

bool is_neutral(const Json& value, double neutral) {
  if (value.is_number()) return value.get<double>() == neutral;
  if (value.is_boolean()) return !value.get<bool>();
  return value.empty();  // null, [] and {}
}

void warn_of_unsupported(const JsonObject& o, bool samples) {
  std::string list;
  for (const Setting& s : unsupported) {
    if (s.only_sampling && !samples) continue;
    const auto found = o.json().find(s.key);
    if (found == o.json().end() || is_neutral(*found, s.neutral)) continue;
    const bool short_value = found->is_primitive() && !found->is_string();
    list += fmt::format("{}{}{}", list.empty() ? "" : ", ", s.key, short_value ? " " + found->dump() : "");
  }
  if (!list.empty()) log::warn_once(fmt::format("{}: not supported, and ignored: {}", o.where(), list));
}

}  // namespace

GenerationConfig generation_config_from_json(const Json& json, const std::string& where,
                                             const Config& config) {
  const JsonObject o(json, where);
  GenerationConfig g{{}, eos_ids(o, config)};
  const bool samples = o.optional<bool>("do_sample", false);
  g.sampling.top_k = o.optional<int64_t>("top_k", samples ? default_top_k : 0);
  g.sampling.top_p = o.optional<double>("top_p", 1);
  g.sampling.min_p = o.optional<double>("min_p", 0);
  if (samples) g.sampling.temperature = o.optional<double>("temperature", 1);
  try {
    check_sampling(g.sampling);
  } catch (const Error& e) {
    fail("{}: {}", where, e.what());
  }
  warn_of_unsupported(o, samples);
  return g;
}

GenerationConfig read_generation_config(const std::string& dir, const Config& config) {
  const std::string path = file_in(dir, "generation_config.json");
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {{}, config.eos_token_ids};
  return generation_config_from_json(read_json(path), path, config);
}

}  // namespace fathom
