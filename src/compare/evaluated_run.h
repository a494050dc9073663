// A model's results, as a folder holds them: tasks that `fathom eval` scored, benchmarks that `fathom judge`
// did, or the checkpoints of a training run, each with its own.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "compare/task_files.h"

namespace fathom {

struct EvaluatedRun {
  std::string path, name;
  TrainingPlace training;
  std::string series;  // the name that checkpoints of one training run share; empty: it is none of several
  std::map<std::string, ScoredTask> tasks;
  std::vector<std::string> there;  // names of all tasks that the folder has, chosen or not
  std::vector<std::string> remarks;
};

struct RunChoice {
  std::vector<std::string> paths;
  std::vector<std::string> names;  // one for each path, or none; checkpoints of one run share one
  std::vector<int64_t> tokens;     // the same: trained on, where the files do not say it
  std::vector<std::string> tasks;  // none: all that are there
};

// In the order of the paths, checkpoints of a folder by their tokens. A folder of checkpoints has
// step-NUMBER/ with results each; a training run's folder has one in eval/. Error for what is no folder of
// results, for one that is given twice, and for two runs of one name without tokens that tell them apart.
std::vector<EvaluatedRun> read_runs(const RunChoice& choice);

}  // namespace fathom
