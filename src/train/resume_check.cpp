#include "train/resume_check.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "io/descriptor.h"
#include "model/adapter_config.h"
#include "train/run_state.h"

namespace fathom {
namespace {

// What a checkpoint was made with, and what the recipe says now.
struct Difference {
  std::string key, then, now;
};

// Keys that a checkpoint of an earlier release does not have stand for their defaults.
std::vector<Difference> differing_keys(const Json& made_with, const Recipe& recipe) {
  const OrderedJson defaults = recipe_to_json(Recipe()), now = recipe_to_json(recipe);
  std::vector<Difference> found;
  for (const RecipeKey& key : recipe_keys(recipe.method)) {
    if (key.on_resume == OnResume::free || !now.contains(key.name)) continue;
    const std::string value = now[key.name].dump(), then = made_with.contains(key.name)
                                                               ? OrderedJson(made_with[key.name]).dump()
                                                               : defaults[key.name].dump();
    if (then != value) found.push_back({key.name, then, value});
  }
  return found;
}

std::vector<Difference> differing_fields(const Config& made_with, const Config& config) {
  const OrderedJson then = config_to_json(made_with, ""), now = config_to_json(config, "");
  std::vector<Difference> found;
  for (const auto& [key, value] : now.items())
    if (then[key] != value) found.push_back({"model." + key, then[key].dump(), value.dump()});
  return found;
}

bool may_change(TrainingMethod method, const std::string& key) {
  for (const RecipeKey& known : recipe_keys(method))
    if (known.name == key) return known.on_resume == OnResume::by_request;
  return false;
}

// "trainer.json has optimizer.lr = 0.003, now 0.001, ..."; takes out what may differ.
std::string refused(const char* file, std::vector<Difference>& differences,
                    const std::vector<std::string>& changes) {
  std::erase_if(differences, [&](const Difference& d) {
    const bool allowed = std::find(changes.begin(), changes.end(), d.key) != changes.end();
    if (allowed) log::info("{} = {} from here on; it was {}", d.key, d.now, d.then);
    return allowed;
  });
  std::string text;
  for (const Difference& d : differences)
    text += fmt::format("{}{} = {}, now {}", text.empty() ? std::string(file) + " has " : ", ", d.key, d.then,
                        d.now);
  return text;
}

// What the user can do about keys that differ.
std::string advice(TrainingMethod method, const std::vector<Difference>& differences) {
  std::string changeable, others;
  for (const Difference& d : differences) (may_change(method, d.key) ? changeable : others) += " " + d.key;
  if (others.empty()) return "to continue with the new values: --resume-with" + changeable;
  return fmt::format("in a run,{} cannot change: model.init_from starts another one", others);
}

}  // namespace

void check_recipe(const std::string& checkpoint, const Recipe& recipe, const Config& config,
                  const std::vector<std::string>& changes) {
  const std::string path = file_in(checkpoint, "trainer.json");
  const Json json = read_trainer_json(path);
  std::vector<Difference> keys = differing_keys(JsonObject(json, path).required<Json>("recipe"), recipe),
                          fields = differing_fields(checkpoint_config(checkpoint), config);
  const std::string of_keys = refused("trainer.json", keys, changes),
                    of_fields = refused("config.json", fields, changes);
  check(!keys.empty() || is_adapter_folder(checkpoint) == static_cast<bool>(config.lora),
        "{}: holds {}, and the recipe trains {}", checkpoint, config.lora ? "a whole model" : "an adapter",
        config.lora ? "adapters" : "all weights");
  if (keys.empty() && fields.empty()) return;
  keys.insert(keys.end(), fields.begin(), fields.end());
  fail("{}: made with other settings: {}{}{}; {}", checkpoint, of_keys,
       of_keys.empty() || of_fields.empty() ? "" : "; ", of_fields, advice(recipe.method, keys));
}

}  // namespace fathom
