// What a run measures, step by step, for people and for tools: DIR/metrics.jsonl, one object a line, and
// TensorBoard event files beside it.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "train/append_file.h"
#include "train/event_file.h"

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
  // Safe against power loss too.
  void flush();

 private:
  AppendFile lines_;
  EventFile events_;
};

}  // namespace fathom
