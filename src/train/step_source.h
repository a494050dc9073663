// Where a run's steps come from: a loader of windows, or rollouts of the model itself.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "io/json.h"
#include "train/objective.h"
#include "train/packed_step.h"

namespace fathom {

class StepSource {
 public:
  virtual ~StepSource() = default;

  // Makes what the next step needs, where that takes long; false: a signal came first, and it is as if this had not
  // been called. True until next().
  virtual bool ready() { return true; }
  // The next step, which is valid until the next call. Behind ready().
  virtual const PackedStep& next() = 0;
  // Windows handed out by next() so far, over all epochs.
  virtual int64_t windows_read() const = 0;
  // Whether a run may stop here, to go on from windows_read() and its weights alone.
  virtual bool may_stop() const { return true; }
  // What people may want to read of the steps since the last call: lines of rollouts.jsonl.
  virtual std::vector<Json> take_records() { return {}; }
  // What a run is measured by, first of all, and more, where that is not the objective's loss.
  virtual std::vector<Objective::Sum> validate() { return {}; }
};

}  // namespace fathom
