// adapter_config.json, the settings beside an adapter's tensors, as PEFT reads and writes it.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "model/config.h"

namespace fathom {

struct AdapterConfig {
  LoraShape shape = {8, 8};  // r and lora_alpha
  bool rslora = false;
  // Empty where it was one regular expression: which modules those are, the tensors tell.
  std::vector<std::string> target_modules;
  // Of parameters: fused experts, "mlp.experts.gate_up_proj", and matrices, "mlp.gate_proj.weight".
  std::vector<std::string> target_parameters;
  std::optional<std::vector<int64_t>> layers;   // where only some have adapters
  std::map<std::string, int64_t> rank_pattern;  // of those that differ, by a pattern of their names
  std::map<std::string, double> alpha_pattern;
  bool saves_score = false;  // the score head is among the tensors

  // Of the module or parameter of this name. Error where two patterns contradict each other.
  LoraShape shape_of(const std::string& name) const;
  // Whether a projection should have tensors. Routed experts have the name of the collection,
  // "...experts.up_proj".
  bool targets(const std::string& projection) const;
  // Whether a parameter is one of target_parameters.
  bool targets_parameter(const std::string& parameter) const;
};

// Error naming the option that asks for what fathom does not do, known or unknown; one that is off (null,
// false, empty) is none. `where` is in the errors.
AdapterConfig adapter_config_from_json(const Json& json, const std::string& where);

// The parameter that PEFT has in place of a projection: of routed experts the fused one, gate_up_proj for
// gate_proj and up_proj together; else the matrix, "....weight".
std::string parameter_of(const std::string& projection);

// "...experts.3.up_proj" without the number.
std::string without_expert(const std::string& module);

// Whether a folder holds an adapter, and no model.
bool is_adapter_folder(const std::string& folder);
// The folder or name of the model beneath an adapter; empty where it does not say.
std::string adapter_base(const std::string& folder);

// Of the adapters in config.lora. `base` is base_model_name_or_path.
OrderedJson adapter_config_to_json(const Config& config, const std::string& base);

// Whether a key of rank_pattern or alpha_pattern means this name: the whole of it, or what follows a dot. A
// key is text in which "." and "\\." stand for a character, ".*" for any number of them; other signs of
// regular expressions are an Error.
bool matches_pattern(const std::string& pattern, const std::string& name, const std::string& where);

}  // namespace fathom
