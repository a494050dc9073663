#include "train/run_description.h"

#include "io/descriptor.h"
#include "io/file.h"

namespace fathom {

void write_run_description(const std::string& output, const Recipe& recipe, const Config& config, int ranks,
                           const std::vector<RollBack>& rollbacks) {
  OrderedJson run = {{"format", 1},
                     {"ranks", ranks},
                     {"recipe", recipe_to_json(recipe)},
                     {"config", config_to_json(config, "")}};
  if (!rollbacks.empty()) run["rollbacks"] = rollbacks_to_json(rollbacks);
  write_file(file_in(output, "run.json"), run.dump(2) + "\n");
}

}  // namespace fathom
