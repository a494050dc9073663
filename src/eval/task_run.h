// A task from its items to its result: measured, scored, recorded, averaged.
#pragma once
#include <cstdint>
#include <string>

#include "eval/measurement.h"
#include "eval/task_result.h"

namespace fathom {

struct TaskRunSettings {
  std::string out;  // folder of the records; empty: none
  bool resume = false;
  MeasurementSettings measurement;
  OrderedJson identity = OrderedJson::object();  // of the model and what it is asked with, for the records
  int workers = 1;                               // programs in the sandbox at a time
  bool allow_weak = false;
  int threads = 1;  // of the bootstrap
};

// A model that is asked.
struct AskedModel {
  Engine& engine;
  const Tokenizer& tokenizer;
  const ChatTemplate* chat = nullptr;  // conversations, where there is one
};

// Writes OUT/TASK.jsonl, OUT/TASK.run.json and OUT/TASK.result.json. Shows its progress.
TaskResult run_task(const AskedModel& model, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings);

// From the records of a run in `settings.out`, without a model; they get the new scores. Error unless all
// items have one.
TaskResult rescore_task(const Task& task, const TaskItems& data, const TaskRunSettings& settings);

}  // namespace fathom
