#include "model/adapter_config.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "io/descriptor.h"
#include "model/lora_targets.h"

namespace fathom {
namespace {

constexpr std::string_view experts = ".experts.";
constexpr int64_t most_patterns = 1 << 16, longest_pattern = 1 << 10;

// What fathom does with them, or what changes no number.
constexpr std::array understood = {
    "alpha_pattern",
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "init_lora_weights",
    "lora_alpha",
    "lora_dropout",
    "layers_to_transform",
    "megatron_core",
    "modules_to_save",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "target_parameters",
    "task_type",
    "use_rslora",
};

bool is_off(const Json& value) {
  if (value.is_null() || value.empty()) return true;
  if (value.is_boolean()) return !value.get<bool>();
  return value.is_string() && (value.get<std::string>() == "none" || value.get<std::string>().empty());
}

void check_options(const JsonObject& o) {
  for (const auto& [key, value] : o.json().items())
    check(std::find(understood.begin(), understood.end(), key) != understood.end() || is_off(value),
          "{}: option '{}' is {}: fathom's adapters have no such thing", o.where(), key, value.dump());
  const auto type = o.required<std::string>("peft_type");
  check(type == "LORA", "{}: option 'peft_type' is '{}': only LORA is supported", o.where(), type);
  if (o.has("init_lora_weights") && o.json()["init_lora_weights"].is_string()) {
    const auto init = o.required<std::string>("init_lora_weights");
    check(init == "gaussian",
          "{}: option 'init_lora_weights' is '{}': it changes the model's own weights too", o.where(), init);
  }
  if (const auto dropout = o.optional<double>("lora_dropout", 0); dropout != 0)
    log::warn_once(
        fmt::format("{}: option 'lora_dropout' is {}: training here has no dropout", o.where(), dropout));
}

// A list of names; a single text in place of one is a regular expression or "all-linear".
std::vector<std::string> read_names(const JsonObject& o, const char* key) {
  if (!o.has(key) || o.json()[key].is_string()) return {};
  return o.required<std::vector<std::string>>(key);
}

template <class Number>
std::map<std::string, Number> read_patterns(const JsonObject& o, const char* key) {
  std::map<std::string, Number> patterns;
  if (!o.has(key)) return patterns;
  const Json& json = o.json()[key];
  const std::string where = o.where() + ": option '" + key + "'";
  const JsonObject entries(json, where);
  check(static_cast<int64_t>(json.size()) <= most_patterns, "{} has more than {} entries", where,
        most_patterns);
  for (const auto& [pattern, value] : json.items()) {
    matches_pattern(pattern, "", where);
    patterns[pattern] = entries.required<Number>(pattern);
  }
  return patterns;
}

std::optional<std::vector<int64_t>> read_layers(const JsonObject& o) {
  if (!o.has("layers_to_transform")) return {};
  if (!o.json()["layers_to_transform"].is_array())
    return std::vector{o.required<int64_t>("layers_to_transform")};
  return o.required<std::vector<int64_t>>("layers_to_transform");
}

// The one value that the patterns that mean this name have; `otherwise` where there is none.
template <class Number>
Number value_of(const std::map<std::string, Number>& patterns, const std::string& name, Number otherwise) {
  std::optional<Number> found;
  for (const auto& [pattern, value] : patterns) {
    if (!matches_pattern(pattern, name, "an adapter's patterns")) continue;
    check(!found || *found == value, "two patterns of adapter_config.json mean '{}': {} and {}", name, *found,
          value);
    found = value;
  }
  return found.value_or(otherwise);
}

int64_t layer_of(const std::string& projection) {
  constexpr std::string_view layers = "model.layers.";
  return std::stoll(projection.substr(layers.size()));
}

}  // namespace

// The text is matched from the right place on by dynamic programming: reached[i] says that the pattern so far
// can end at i.
bool matches_pattern(const std::string& pattern, const std::string& name, const std::string& where) {
  check(static_cast<int64_t>(pattern.size()) <= longest_pattern, "{}: a pattern has {} characters", where,
        pattern.size());
  std::vector<char> reached(name.size() + 1);
  reached[0] = 1;
  size_t i = pattern.starts_with('^') ? 1 : 0;
  for (size_t n = 0; i == 0 && n < name.size(); ++n) reached[n + 1] = name[n] == '.';
  for (; i < pattern.size(); ++i) {
    const bool escaped = pattern[i] == '\\' && i + 1 < pattern.size();
    if (escaped) ++i;
    const char c = pattern[i];
    check(escaped ? std::ispunct(static_cast<unsigned char>(c)) != 0
                  : std::string_view("\\()[]{}+?*|^$").find(c) == std::string_view::npos,
          "{}: pattern '{}' has a '{}': only letters, '.', '\\.' and '.*' are understood", where, pattern, c);
    const bool any = !escaped && c == '.', many = any && pattern.substr(i + 1, 1) == "*";
    if (many) {
      ++i;
      for (size_t n = 0; n < name.size(); ++n) reached[n + 1] |= reached[n];
      continue;
    }
    for (size_t n = name.size(); n > 0; --n) reached[n] = reached[n - 1] && (any || name[n - 1] == c);
    reached[0] = 0;
  }
  return reached[name.size()] != 0;
}

bool is_adapter_folder(const std::string& folder) {
  std::error_code ignored;
  return std::filesystem::exists(file_in(folder, "adapter_config.json"), ignored) &&
         !std::filesystem::exists(file_in(folder, "config.json"), ignored);
}

std::string adapter_base(const std::string& folder) {
  const std::string path = file_in(folder, "adapter_config.json");
  const Json json = read_json(path);
  return JsonObject(json, path).optional<std::string>("base_model_name_or_path", "");
}

std::string parameter_of(const std::string& projection) {
  const size_t at = projection.find(experts);
  if (at == std::string::npos) return projection + ".weight";
  return projection.substr(0, at + experts.size()) +
         (projection.ends_with(".down_proj") ? "down_proj" : "gate_up_proj");
}

std::string without_expert(const std::string& module) {
  const size_t at = module.find(experts);
  if (at == std::string::npos) return module;
  size_t end = at + experts.size();
  while (end < module.size() && std::isdigit(static_cast<unsigned char>(module[end]))) ++end;
  if (end == at + experts.size() || module.substr(end, 1) != ".") return module;
  return module.substr(0, at + experts.size()) + module.substr(end + 1);
}

LoraShape AdapterConfig::shape_of(const std::string& name) const {
  return {value_of(rank_pattern, name, shape.rank), value_of(alpha_pattern, name, shape.alpha)};
}

bool AdapterConfig::targets_parameter(const std::string& parameter) const {
  return std::any_of(target_parameters.begin(), target_parameters.end(),
                     [&](const std::string& target) { return is_target(target, parameter); });
}

bool AdapterConfig::targets(const std::string& projection) const {
  if (layers && std::find(layers->begin(), layers->end(), layer_of(projection)) == layers->end())
    return false;
  return targets_parameter(parameter_of(projection)) ||
         std::any_of(target_modules.begin(), target_modules.end(), [&](const std::string& target) {
           return is_target(without_expert(target), projection);
         });
}

AdapterConfig adapter_config_from_json(const Json& json, const std::string& where) {
  const JsonObject o(json, where);
  check_options(o);
  AdapterConfig c;
  c.shape = {o.defaulted<int64_t>("r", 8), o.defaulted<double>("lora_alpha", 8)};
  c.rslora = o.optional<bool>("use_rslora", false);
  c.target_modules = read_names(o, "target_modules");
  c.target_parameters = read_names(o, "target_parameters");
  c.layers = read_layers(o);
  c.rank_pattern = read_patterns<int64_t>(o, "rank_pattern");
  c.alpha_pattern = read_patterns<double>(o, "alpha_pattern");
  for (const std::string& module : read_names(o, "modules_to_save")) {
    check(module == "score" || module == "classifier",
          "{}: option 'modules_to_save' has '{}': only the head 'score' can be saved beside adapters", where,
          module);
    c.saves_score = true;
  }
  return c;
}

}  // namespace fathom
