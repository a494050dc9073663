// What `fathom eval --out RUN` writes of a task: RUN/TASK.run.json, TASK.result.json and TASK.jsonl.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "compare/scored_task.h"

namespace fathom {

// How far a training run was when the model was scored.
struct TrainingPlace {
  std::optional<int64_t> step, tokens;
  std::string run;  // the training run's folder, where the file says it
};

struct TaskFiles {
  ScoredTask scored;
  TrainingPlace training;
};

// The names of tasks that have files in the folder, sorted.
std::vector<std::string> tasks_in(const std::string& folder);

// Error naming the file for what is missing, malformed, broken off, of an earlier release, or does not belong
// together: another number of records, or another mean, than the result says.
TaskFiles read_task_files(const std::string& folder, const std::string& task);

// The two files of JSON alone, into a task without items. `where` stands in errors.
void parse_result(const Json& json, const std::string& where, ScoredTask& task);
void parse_run(const Json& json, const std::string& where, TaskFiles& files);

}  // namespace fathom
