// What a run measures, step by step, for people and for tools: DIR/metrics.jsonl, DIR/expert_load.jsonl
// DIR/samples.jsonl and DIR/rollouts.jsonl, one object a line, and TensorBoard event files beside them.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>

#include "io/json.h"
#include "io/append_file.h"
#include "train/event_file.h"
#include "train/expert_load.h"

namespace fathom {

class Metrics {
 public:
  // -1 starts a new run: metrics.jsonl starts empty. Otherwise the run continues after this step: what an
  // interrupted run noted of later steps is dropped. The folder is made if need be.
  Metrics(const std::string& dir, int64_t resume_from_step);

  // One line {"step": ..., "time": ..., NAME: value, ...}; infinities and NaN become null there. On disk for
  // readers when it returns.
  void log(int64_t step, std::span<const NamedValue> values);
  void log(int64_t step, std::initializer_list<NamedValue> values) {
    log(step, std::span(values.begin(), values.size()));
  }
  // The counts of a step, as a line of expert_load.jsonl, and their ratios as scalars for each layer.
  void log_load(int64_t step, const ExpertLoad& load);
  // What the model wrote after a prompt, as a line of samples.jsonl.
  void log_sample(int64_t step, const std::string& prompt, const std::string& text);
  // An answer of a rollout with its rewards, as a line of rollouts.jsonl.
  void log_rollout(int64_t step, const Json& record);
  // Safe against power loss too.
  void flush();

 private:
  AppendFile lines_;
  std::string load_path_, samples_path_, rollouts_path_;
  std::optional<AppendFile> load_lines_, sample_lines_, rollout_lines_;  // from the first of them on
  EventFile events_;
};

}  // namespace fathom
