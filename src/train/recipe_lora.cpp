#include "train/recipe_lora.h"

#include "base/error.h"
#include "model/adapter_config.h"
#include "model/adapter_file.h"
#include "model/lora_targets.h"
#include "train/recipe_table.h"

namespace fathom {
namespace {

constexpr const char* keys_of_new_ones[] = {"lora.rank", "lora.alpha", "lora.rslora", "lora.targets"};

// What the recipe's [model] changes would be lost: the adapter's folder has no config.json.
void check_same_model(const Recipe& r, const Config& config) {
  const OrderedJson own = config_to_json(read_config(r.model.init_from), ""),
                    now = config_to_json(config, "");
  for (const auto& [key, value] : now.items())
    check(is_of_training(key) || (own.contains(key) && own[key] == value),
          "model.{} is {}, and that of model.init_from = {} is {}: adapters stand beside a model as it is",
          key, value.dump(), r.model.init_from, own.contains(key) ? own[key].dump() : "absent");
}

}  // namespace

void check_lora(const Recipe& r, const std::string& where) {
  const Recipe::Lora& lora = r.lora;
  for (const char* key : keys_of_new_ones) {
    if (!r.given.contains(key)) continue;
    check(lora.init_from.empty(), "{}: {} is that of the adapter in lora.init_from = {}: give one of both",
          where, key, lora.init_from);
    check(lora.rank > 0 || std::string(key) == "lora.rank",
          "{}: {} is given, and lora.rank is 0: there are no adapters", where, key);
  }
  if (!lora.trained()) return;
  check(!r.model.init_from.empty(),
        "{}: {} needs model.init_from: adapters stand beside the weights of a model", where,
        lora.rank > 0 ? fmt::format("lora.rank = {}", lora.rank) : "lora.init_from = " + lora.init_from);
  check(r.model.bias_update_speed == 0,
        "{}: model.bias_update_speed = {:g} moves a part of the model that is frozen beside adapters", where,
        r.model.bias_update_speed);
}

void check_no_adapter(const std::string& init_from) {
  if (init_from.empty() || !is_adapter_folder(init_from)) return;
  const std::string base = adapter_base(init_from);
  fail(
      "model.init_from = {}: holds an adapter: give lora.init_from = {}, and as model.init_from the model "
      "beneath{}",
      init_from, init_from, base.empty() ? "" : ", which was " + base);
}

Config with_adapters(const Recipe& r, const Config& config) {
  check_same_model(r, config);
  if (!r.lora.init_from.empty()) return AdapterFile(r.lora.init_from).with(config);
  Config c = config;
  c.lora = lora_of(
      config,
      {.rank = r.lora.rank, .alpha = r.lora.alpha, .rslora = r.lora.rslora, .targets = r.lora.targets},
      "lora.targets");
  return c;
}

}  // namespace fathom
