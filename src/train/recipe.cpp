// What is done by walking the table of recipe keys: set, list, write.
#include "train/recipe.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/nearest.h"
#include "model/extension.h"
#include "train/recipe_check.h"
#include "train/recipe_lora.h"
#include "train/recipe_toml.h"
#include "train/recipe_values.h"

namespace fathom {
namespace {

// Sections that are not of every method.
struct MethodSection {
  std::string_view name;
  std::vector<TrainingMethod> methods;
};
const std::vector<TrainingMethod> alignment = {TrainingMethod::sft, TrainingMethod::reward, TrainingMethod::dpo, TrainingMethod::grpo};
const std::vector<TrainingMethod> language = {TrainingMethod::train, TrainingMethod::sft, TrainingMethod::dpo, TrainingMethod::grpo};
const std::array method_sections = {MethodSection{"chat", alignment},  MethodSection{"lora", alignment},
                                  MethodSection{"eval", language},
                                  MethodSection{"sft", {TrainingMethod::sft}}, MethodSection{"reward", {TrainingMethod::reward}},
                                  MethodSection{"dpo", {TrainingMethod::dpo}}, MethodSection{"grpo", {TrainingMethod::grpo}}};

// "rope_scaling.factor" and so on, with example values: the keys that config.json may hold.
Json config_fields() {
  Config every;
  RopeScaling& rope = every.rope_scaling;
  rope.type = RopeType::yarn, rope.truncate = false;
  rope.attention_factor = rope.mscale = rope.mscale_all_dim = 1;
  every.q_lora_rank = 1;
  Config grouped = every;
  grouped.num_key_value_heads = 1;
  Json fields = Json::object();
  for (const Config& c : {every, grouped}) {
    const OrderedJson all = config_to_json(c, "float32");
    for (const auto& [key, value] : all.items()) {
      if (!value.is_object()) fields[key] = value;
      if (value.is_object())
        for (const auto& [inner, inner_value] : value.items()) fields[key + "." + inner] = inner_value;
    }
  }
  return fields;
}

const char* kind_of(const Json& example) {
  if (example.is_boolean()) return "true or false";
  if (example.is_number()) return "a number";
  return example.is_string() ? "a text" : "a list";
}
// eos_token_id may be one number or a list of them.
bool same_kind(const Json& example, const Json& value) {
  return std::string_view(kind_of(example)) == kind_of(value) || (example.is_number() && value.is_array());
}

constexpr std::string_view model_prefix = "model.";

// "hidden_size" of "model.hidden_size"; empty for a key of another section.
std::string config_field_of(const std::string& key) {
  return key.starts_with(model_prefix) ? key.substr(model_prefix.size()) : "";
}

OnResume on_resume_of_field(const std::string& field) {
  return is_of_training(field) ? by_request : fixed;
}

std::vector<std::string> key_names(TrainingMethod method) {
  std::vector<std::string> names;
  for (const RecipeKey& key : recipe_keys(method)) names.push_back(key.name);
  return names;
}

// The section of "sft.last_turn" is "sft"; that of "model.hidden_size" is of every method.
bool belongs_to(TrainingMethod method, std::string_view key) {
  const std::string_view section = key.substr(0, key.find('.'));
  const auto known = std::find_if(method_sections.begin(), method_sections.end(),
                                  [&](const MethodSection& s) { return s.name == section; });
  return known == method_sections.end() ||
         std::find(known->methods.begin(), known->methods.end(), method) != known->methods.end();
}

void check_belongs(TrainingMethod method, const Setting& s) {
  check(belongs_to(method, s.key), "{}: '{}' is no setting of fathom {}", s.where, s.key, name_of(method));
}

void set(Recipe& recipe, const Setting& s) {
  bool known = false;
  check_belongs(recipe.method, s);
  recipe.given.insert(s.key);
  visit_recipe(recipe, [&](const char* key, auto& member, const Range& range, OnResume, const char*) {
    if (s.key != key) return;
    known = true;
    read_member(s.value, {s.where, s.key}, member);
    check_range(member, range, {s.where, s.key});
  });
  if (known) return;
  const std::string field = config_field_of(s.key);
  const Json fields = config_fields();
  check(fields.contains(field), "{}: unknown key '{}' (value {}){}", s.where, s.key, s.value.dump(),
        did_you_mean(s.key, key_names(recipe.method)));
  check(same_kind(fields[field], s.value), "{}: '{}' is {}: expected {} as in config.json", s.where, s.key,
        s.value.dump(), kind_of(fields[field]));
  const size_t dot = field.find('.');
  if (dot == std::string::npos)
    recipe.model.fields[field] = s.value;
  else
    recipe.model.fields[field.substr(0, dot)][field.substr(dot + 1)] = s.value;
}

// A recipe finds its config from any folder: model.config is relative to the recipe's own.
void resolve_beside(const std::string& recipe_path, Setting& s) {
  if (s.key != "model.config" || !s.value.is_string() || s.value == "") return;
  const std::filesystem::path folder = std::filesystem::path(recipe_path).parent_path();
  s.value = (folder / s.value.get<std::string>()).lexically_normal().string();
}

// What acts between groups of experts needs two of them: with one, balance losses are constant and the load
// is the average.
void check_groups(const Config& c, const char* key, double value, const std::string& where) {
  check(value == 0 || (c.n_moe_layers() > 0 && c.expert_groups() > 1),
        "{}: '{}' is {:g}: the model needs groups of experts, topk_method = \"group_limited_greedy\" or "
        "\"noaux_tc\" and n_group above 1",
        where, key, value);
}

// Whether a text is meant in TOML's notation; a path stands for itself.
bool is_quoted_or_list(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first != std::string_view::npos &&
         std::string_view("[\"'").find(text[first]) != std::string_view::npos;
}

}  // namespace

std::vector<RecipeKey> recipe_keys(TrainingMethod method) {
  std::vector<RecipeKey> keys;
  Recipe defaults;
  visit_recipe(defaults,
               [&](const char* key, auto& member, const Range&, OnResume on_resume, const char* help) {
                 using T = std::decay_t<decltype(member)>;
                 if (belongs_to(method, key))
                   keys.push_back({key, help, written(member).dump(), on_resume,
                                   written(member).is_array() && !std::is_same_v<T, Json>});
               });
  const Json fields = config_fields();
  for (const auto& [field, example] : fields.items())
    keys.push_back({std::string(model_prefix) + field, "as in config.json", "", on_resume_of_field(field)});
  return keys;
}

Setting flag_setting(const std::string& key, const std::string& text) {
  Setting setting{key, {}, "command line"};
  const std::string flag = "--" + key;
  Recipe defaults;
  visit_recipe(defaults, [&](const char* name, auto& member, const Range& range, OnResume, const char*) {
    using T = std::decay_t<decltype(member)>;
    if (key != name) return;
    constexpr bool texts = std::is_same_v<T, std::vector<std::string>>;
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
      setting.value = parse_number<T>(flag, text, allowed_in<T>(range));
    else if (written(member).is_string() || (texts && !is_quoted_or_list(text)))
      setting.value = text;
  });
  if (setting.value.is_null()) setting.value = parse_toml_value(text);
  const Json fields = config_fields();
  const std::string field = config_field_of(key);
  if (!fields.contains(field)) return setting;
  const Json& example = fields[field];
  if (example.is_number_integer() && !setting.value.is_array())
    setting.value = parse_number<int64_t>(flag, text);
  else if (example.is_number_float())
    setting.value = parse_number<double>(flag, text);
  return setting;
}

Recipe read_recipe(const std::string& path, std::span<const Setting> overrides, TrainingMethod method) {
  Recipe recipe;
  recipe.method = method;
  if (!path.empty())
    for (Setting& s : read_toml(path)) {
      resolve_beside(path, s);
      set(recipe, s);
    }
  for (const Setting& s : overrides) set(recipe, s);
  const std::string where = path.empty() ? "recipe" : path;
  if (method != TrainingMethod::train) {
    check(!recipe.given.contains("data.document_mask") || recipe.data.document_mask,
          "{}: data.document_mask is false, but a conversation never attends to another one", where);
    recipe.data.document_mask = true;
  }
  check_together(recipe, where);
  return recipe;
}

OrderedJson recipe_to_json(const Recipe& recipe) {
  OrderedJson json;
  visit_recipe(recipe, [&](const char* key, const auto& member, const Range&, OnResume, const char*) {
    json[key] = written(member);
  });
  return json;
}

Config model_config(const Recipe& recipe) {
  const std::string base = recipe.model.config.empty() ? recipe.model.init_from : recipe.model.config;
  check_no_adapter(recipe.model.init_from);
  Json json = Json::object();
  if (!base.empty()) json = Json::parse(config_to_json(read_config(base), "float32").dump());
  for (const auto& [key, value] : recipe.model.fields.items()) {
    if (value.is_object() && json.contains(key) && json[key].is_object())
      json[key].update(value);
    else
      json[key] = value;
  }
  const std::string where = base.empty() ? "recipe [model]" : base + " with the recipe's [model]";
  Config config = config_from_json(json, where);
  const Recipe::Model& m = recipe.model;
  if (m.extend_to > 0) config = extended(config, m.extend_to, m.extend_from, where);
  if (recipe.lora.trained()) config = with_adapters(recipe, config);
  if (recipe.method == TrainingMethod::reward && !config.has_score_head())
    config = with_score_head(config, 1, config.bos_token_id, where);
  check_groups(config, "model.device_balance_alpha", m.device_balance_alpha, where);
  check_groups(config, "model.communication_balance_alpha", m.communication_balance_alpha, where);
  check_groups(config, "model.capacity_factor", m.capacity_factor, where);
  check(m.bias_update_speed == 0 || (config.n_moe_layers() > 0 && config.topk_method == TopkMethod::noaux_tc),
        "{}: 'model.bias_update_speed' is {:g}: the model needs experts that are chosen with a bias, "
        "topk_method = \"noaux_tc\"",
        where, m.bias_update_speed);
  return config;
}

bool balances(const Recipe& recipe, const Config& config) {
  const Recipe::Model& m = recipe.model;
  return config.n_moe_layers() > 0 &&
         (config.aux_loss_alpha != 0 || m.device_balance_alpha != 0 || m.communication_balance_alpha != 0);
}

}  // namespace fathom
