// The adapter_config.json of adapters: which targets PEFT needs to be told of, and their ranks and scales as
// it counts.
#include <fmt/format.h>

#include <cmath>
#include <set>
#include <string_view>

#include "model/adapter_config.h"

namespace fathom {
namespace {

constexpr std::string_view experts = ".experts.";

// What PEFT calls the target of a projection: target_parameters or not, and its name there.
struct PeftTarget {
  bool parameter = false;
  std::string name;
};

// The targets of MLPs in a model of type deepseek_v2 are parameters: in target_modules PEFT takes the names
// gate_proj, up_proj and down_proj for routed experts alone.
PeftTarget peft_target(const Config& c, const std::string& projection) {
  const bool of_mlp = projection.find(".mlp.") != std::string::npos;
  if (!c.is_mla() || !of_mlp) return {false, projection};
  return {true, parameter_of(projection)};
}

// Without "model.layers.N.".
std::string name_in_layer(const std::string& projection) {
  return projection.substr(projection.find('.', std::string_view("model.layers.").size()) + 1);
}

// What stands in target_modules or target_parameters: without "model.layers.N.", modules of experts one by
// one.
void append_names(const Config& c, const PeftTarget& target, std::set<std::string>& names) {
  const std::string name = name_in_layer(target.name);
  const size_t at = name.find(experts);
  if (target.parameter || at == std::string::npos) {
    names.insert(name);
    return;
  }
  for (int64_t e = 0; e < c.n_routed_experts; ++e)
    names.insert(name.substr(0, at) + fmt::format(".experts.{}.", e) + name.substr(at + experts.size()));
}

// What means it in rank_pattern and alpha_pattern.
std::string pattern_of(const PeftTarget& target) {
  std::string name = target.name;
  const size_t at = name.find(experts);
  return target.parameter || at == std::string::npos ? name
                                                     : name.replace(at, experts.size(), ".experts..*.");
}

// As PEFT counts where gate and up of experts are one parameter: both ranks, at the same scale.
LoraShape peft_shape(const Lora& lora, const PeftTarget& target, const LoraShape& s) {
  if (!target.parameter || !target.name.ends_with(".gate_up_proj")) return s;
  return {2 * s.rank, s.alpha * (lora.rslora ? std::sqrt(2.0) : 2)};
}

}  // namespace

OrderedJson adapter_config_to_json(const Config& c, const std::string& base) {
  const LoraShape usual = c.lora.projections.begin()->second;
  std::set<std::string> modules, parameters;
  OrderedJson ranks = OrderedJson::object(), alphas = OrderedJson::object();
  for (const auto& [projection, shape] : c.lora.projections) {
    const PeftTarget target = peft_target(c, projection);
    append_names(c, target, target.parameter ? parameters : modules);
    const LoraShape s = peft_shape(c.lora, target, shape);
    if (s.rank != usual.rank) ranks[pattern_of(target)] = s.rank;
    if (s.alpha != usual.alpha) alphas[pattern_of(target)] = s.alpha;
  }
  OrderedJson j = {{"peft_type", "LORA"},
                   {"task_type", c.has_score_head() ? "SEQ_CLS" : "CAUSAL_LM"},
                   {"base_model_name_or_path", base},
                   {"inference_mode", true}};
  j["r"] = usual.rank;
  j["lora_alpha"] = usual.alpha;
  j["use_rslora"] = c.lora.rslora;
  j["lora_dropout"] = 0.0;
  j["bias"] = "none";
  j["fan_in_fan_out"] = false;
  j["init_lora_weights"] = true;
  j["target_modules"] = modules;
  j["target_parameters"] = parameters.empty() ? OrderedJson(nullptr) : OrderedJson(parameters);
  j["rank_pattern"] = ranks;
  j["alpha_pattern"] = alphas;
  j["modules_to_save"] = c.has_score_head() ? OrderedJson({"score"}) : OrderedJson(nullptr);
  return j;
}

}  // namespace fathom
