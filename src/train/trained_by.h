// Where a model comes from, as its folder says it: how far a training run was.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace fathom {

struct TrainedBy {
  int64_t step = 0, tokens = 0;
  std::string run;  // the run's folder (run.output)
};

// Of a checkpoint's folder, or of OUT/model where the newest checkpoint in OUT is of the last step; nothing
// where neither is so. Error for a trainer.json that cannot be read.
std::optional<TrainedBy> trained_by(const std::string& model_folder);

}  // namespace fathom
