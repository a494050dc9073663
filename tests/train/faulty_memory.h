// Memory that goes wrong while a run trains: a weight changes between two steps, as a bit that flips does.
// `fathom train` hands its model out between two steps, for samples of text; that is when it happens.
#pragma once
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "small_run.h"
#include "train/training_run.h"

namespace fathom::testing {

// An element of the final norm's weight, which every token's loss depends on.
inline float& fragile_element(const Model& model) {
  return model.weights.norm.data.as<float>()[3];
}

class FaultyMemory {
 public:
  enum class Fault {
    lasting,    // the weight stays wrong
    transient,  // it is right again after the next step
    crash,      // the process ends
  };
  // After how many steps of the process: those that roll back do not count, and those that are made again
  // count again.
  using Faults = std::map<int64_t, Fault>;
  explicit FaultyMemory(Faults faults, float value = std::numeric_limits<float>::quiet_NaN())
      : faults_(std::move(faults)), value_(value) {}

  // With samples after each step.
  static Flags flags() { return {{"sample.every", "1"}, {"sample.prompts", "a"}}; }
  // Of train(). A new run hands its model out before the first step too.
  TrainOptions options(bool resume) {
    steps_ = resume ? 0 : -1;
    return {.resume = resume,
            .on_profile = {},
            .write_samples = [this](Device&, const Model& model, const std::string&) {
              after_step(model);
              return std::vector<std::string>{"b"};
            }};
  }

 private:
  void after_step(const Model& model) {
    float& element = fragile_element(model);
    if (repair_) element = right_;
    repair_ = false;
    const auto fault = faults_.find(++steps_);
    if (fault == faults_.end()) return;
    check(fault->second != Fault::crash, "the process crashes");
    repair_ = fault->second == Fault::transient;
    right_ = element, element = value_;
  }

  const Faults faults_;
  const float value_;
  int64_t steps_ = 0;
  bool repair_ = false;
  float right_ = 0;
};

}  // namespace fathom::testing
