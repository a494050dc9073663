// A task from its items to its result: measured, scored, recorded, averaged.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "eval/measurer.h"
#include "eval/task_result.h"
#include "text/chat_template.h"

namespace fathom {

// The items are divided among several processes, each with the whole model and all items. What is measured
// does not depend on their number.
struct ItemShare {
  int rank = 0, ranks = 1;
  // The texts of all ranks, in their order, on each of them. Every rank calls it as often.
  std::function<std::vector<std::string>(const std::string& mine)> gather = {};
};

struct TaskRunSettings {
  std::string out;  // folder of the records; empty: none
  bool resume = false;
  MeasurementSettings measurement;
  OrderedJson identity = OrderedJson::object();  // of the model and what it is asked with, for the records
  OrderedJson about = OrderedJson::object();  // what else the run's file says: step and tokens of a training
  int workers = 1;                            // programs in the sandbox at a time
  bool allow_weak = false;
  int threads = 1;  // of the bootstrap
  // Items that are measured together, from an empty prefix cache, or of generating tasks answers: what a resumed
  // run takes over is a multiple of them.
  int64_t together = 128;
  ItemShare share = {};
};

// A model of this process.
struct AskedModel {
  Engine& engine;
  const Tokenizer& tokenizer;
  const ChatTemplate* chat = nullptr;  // conversations, where there is one
};

// Writes OUT/TASK.jsonl, OUT/TASK.run.json and OUT/TASK.result.json. Shows its progress. Of several processes
// the first one writes, and has the result; a signal to any ends it on all, as Interrupted. The measurer is
// of this task and settings.measurement.
TaskResult run_task(Measurer& measurer, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings);
TaskResult run_task(const AskedModel& model, const Task& task, const TaskItems& data,
                    const TaskRunSettings& settings);

// From the records of a run in `settings.out`, without a model; they get the new scores. Error unless all
// items have one.
TaskResult rescore_task(const Task& task, const TaskItems& data, const TaskRunSettings& settings);

}  // namespace fathom
