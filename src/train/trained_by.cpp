#include "train/trained_by.h"

#include <filesystem>

#include "io/descriptor.h"
#include "train/run_state.h"
#include "train/training_checkpoint.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

TrainedBy of_trainer(const std::string& path, const Json& recipe) {
  const RunState state = read_run_state(path);
  return {state.step, state.tokens, JsonObject(recipe, path).optional<std::string>("run.output", "")};
}

}  // namespace

std::optional<TrainedBy> trained_by(const std::string& model_folder) {
  const auto recipe_of = [](const std::string& path) {
    const Json trainer = read_trainer_json(path);
    return JsonObject(trainer, path).required<Json>("recipe");
  };
  if (const std::string own = file_in(model_folder, "trainer.json"); fs::exists(own))
    return of_trainer(own, recipe_of(own));
  const fs::path folder = fs::absolute(model_folder).lexically_normal();
  const fs::path named = folder.has_filename() ? folder : folder.parent_path();
  if (named.filename() != "model") return {};
  const std::optional<std::string> newest = any_checkpoint(named.parent_path().string());
  if (!newest) return {};
  const std::string path = file_in(*newest, "trainer.json");
  if (!fs::exists(path)) return {};
  const Json recipe = recipe_of(path);
  TrainedBy by = of_trainer(path, recipe);
  if (by.step != JsonObject(recipe, path).optional<int64_t>("schedule.steps", -1)) return {};
  return by;
}

}  // namespace fathom
