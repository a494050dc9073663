// Rotary fields of config.json, with the precedence that Hugging Face transformers gives them: a rope_scaling
// that is not empty wins over rope_parameters, rope_theta inside wins over the one outside, and
// original_max_position_embeddings outside wins over the one inside.
#include <algorithm>
#include <array>
#include <span>

#include "base/error.h"
#include "base/log.h"
#include "model/config_fields.h"

namespace fathom {
namespace {

// Null and {} count as absent.
bool is_given(const JsonObject& config, const char* key) {
  return config.has(key) && !(config.json()[key].is_object() && config.json()[key].empty());
}

// Older files say "type", newer ones "rope_type".
std::string type_name(const JsonObject& rope) {
  return rope.defaulted<std::string>("rope_type", rope.defaulted<std::string>("type", "default"));
}

// With everything that both forms may leave out, so that two can be compared.
Json completed(const JsonObject& rope, const Json& outer_theta) {
  Json json = rope.json();
  json["rope_type"] = type_name(rope);
  json.erase("type");
  json.emplace("rope_theta", outer_theta);
  return json;
}

void warn_of_difference(const JsonObject& config, const Json& theta) {
  if (!is_given(config, "rope_scaling") || !is_given(config, "rope_parameters")) return;
  if (completed(config.child("rope_scaling"), theta) == completed(config.child("rope_parameters"), theta))
    return;
  log::warn_once(fmt::format(
      "{}: rope_scaling and rope_parameters differ: rope_scaling counts, rope_parameters is ignored",
      config.where()));
}

// Whatever else stands in the dictionary has no effect; transformers ignores it too.
void warn_of_unused(const JsonObject& rope, const std::string& name, const std::string& type,
                    std::span<const std::string_view> used) {
  for (const auto& [key, value] : rope.json().items()) {
    static constexpr std::array<std::string_view, 4> always = {"type", "rope_type", "rope_theta",
                                                               "partial_rotary_factor"};
    const auto has = [&key = key](std::span<const std::string_view> list) {
      return std::find(list.begin(), list.end(), key) != list.end();
    };
    if (!has(always) && !has(used))
      log::warn_once(
          fmt::format("{}: field '{}.{}' has no effect with rope type '{}'", rope.where(), name, key, type));
  }
}

int64_t original_length(const JsonObject& config, const JsonObject& rope, const std::string& name,
                        int64_t otherwise) {
  constexpr const char* key = "original_max_position_embeddings";
  const auto inside = rope.defaulted<int64_t>(key, otherwise);
  const auto length = config.defaulted<int64_t>(key, inside);
  if (length != inside && rope.contains(key))
    log::warn_once(fmt::format("{}: {} is {} and {}.{} is {}: {} counts", config.where(), key, length, name,
                               key, inside, length));
  return length;
}

double nonzero_or(const JsonObject& rope, const char* key, double otherwise) {
  const auto value = rope.optional<double>(key, 0);
  return value == 0 ? otherwise : value;
}

void read_yarn(const JsonObject& config, const JsonObject& rope, const std::string& name, Config& c) {
  RopeScaling& s = c.rope_scaling;
  s.original_max_position_embeddings = original_length(config, rope, name, c.max_position_embeddings);
  s.beta_fast = nonzero_or(rope, "beta_fast", 32);
  s.beta_slow = nonzero_or(rope, "beta_slow", 1);
  s.truncate = rope.contains("truncate") ? rope.optional<bool>("truncate", false) : true;
  s.mscale = rope.optional<double>("mscale", 0);
  s.mscale_all_dim = rope.optional<double>("mscale_all_dim", 0);
  if (rope.has("attention_factor")) s.attention_factor = rope.required<double>("attention_factor");
  if (rope.contains("factor") && !rope.has("factor") && s.mscale_all_dim == 0) {
    check(s.original_max_position_embeddings > 0,
          "{}: field '{}.original_max_position_embeddings' must be positive, got {}", config.where(), name,
          s.original_max_position_embeddings);
    s.factor = static_cast<double>(c.max_position_embeddings) /
               static_cast<double>(s.original_max_position_embeddings);
  } else {
    s.factor = rope.required<double>("factor");
  }
  if (s.mscale != 0 && s.mscale_all_dim == 0 && !s.attention_factor)
    log::warn_once(
        fmt::format("{}: field '{}.mscale' has no effect without mscale_all_dim", config.where(), name));
}

void read_scaling(const JsonObject& config, const JsonObject& rope, const std::string& name, Config& c) {
  const std::string type = type_name(rope);
  const auto partial = rope.optional<double>("partial_rotary_factor", 1);
  check(partial == 1, "{}: field '{}.partial_rotary_factor' is {}: only 1 is supported", config.where(), name,
        partial);
  if (type == "default") {
    warn_of_unused(rope, name, type, {});
  } else if (type == "linear") {
    static constexpr std::array<std::string_view, 2> used = {"factor", "mscale_all_dim"};
    warn_of_unused(rope, name, type, used);
    c.rope_scaling.type = RopeType::linear;
    c.rope_scaling.factor = rope.required<double>("factor");
    c.rope_scaling.mscale_all_dim = rope.optional<double>("mscale_all_dim", 0);
  } else {
    check(type == "yarn",
          "{}: rope type '{}' of field '{}' is not supported: expected default, linear or yarn",
          config.where(), type, name);
    static constexpr std::array<std::string_view, 8> used = {
        "factor",         "original_max_position_embeddings",
        "beta_fast",      "beta_slow",
        "truncate",       "mscale",
        "mscale_all_dim", "attention_factor"};
    warn_of_unused(rope, name, type, used);
    c.rope_scaling.type = RopeType::yarn;
    read_yarn(config, rope, name, c);
  }
}

}  // namespace

void read_rope(const JsonObject& config, Config& c) {
  c.rope_scaling = {};
  const auto partial = config.optional<double>("partial_rotary_factor", 1);
  check(partial == 1, "{}: field 'partial_rotary_factor' is {}: only 1 is supported", config.where(),
        partial);
  const std::string name = is_given(config, "rope_scaling") ? "rope_scaling" : "rope_parameters";
  if (!is_given(config, name.c_str())) {
    c.rope_theta = config.defaulted<double>("rope_theta", 10000);
    return;
  }
  const JsonObject rope = config.child(name);
  if (!rope.contains("rope_theta")) {
    c.rope_theta = config.defaulted<double>("rope_theta", 10000);
  } else {
    c.rope_theta = rope.required<double>("rope_theta");
    const auto outside = config.optional<double>("rope_theta", c.rope_theta);
    if (outside != c.rope_theta)
      log::warn_once(fmt::format("{}: rope_theta is {} and {}.rope_theta is {}: {} counts", config.where(),
                                 outside, name, c.rope_theta, c.rope_theta));
  }
  warn_of_difference(config, config.optional<double>("rope_theta", 10000));
  read_scaling(config, rope, name, c);
}

OrderedJson rope_scaling_json(const RopeScaling& s) {
  if (s.type == RopeType::plain) return nullptr;
  OrderedJson j = {{"type", s.type == RopeType::yarn ? "yarn" : "linear"}, {"factor", s.factor}};
  if (s.type == RopeType::yarn) {
    j["original_max_position_embeddings"] = s.original_max_position_embeddings;
    j["beta_fast"] = s.beta_fast;
    j["beta_slow"] = s.beta_slow;
    if (!s.truncate) j["truncate"] = false;
    if (s.attention_factor) j["attention_factor"] = *s.attention_factor;
    if (s.mscale != 0) j["mscale"] = s.mscale;
  }
  if (s.mscale_all_dim != 0) j["mscale_all_dim"] = s.mscale_all_dim;
  return j;
}

}  // namespace fathom
