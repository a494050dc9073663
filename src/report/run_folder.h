// What a run's folder says of it, read for the report: metrics, load of the experts, samples of text, rollouts, recipe.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/json.h"
#include "report/load_log.h"
#include "report/metrics_log.h"
#include "report/rollout_log.h"

namespace fathom {

// How much of a run goes into a page, however long the run is.
struct ReportLimits {
  int64_t buckets = 2000;             // of a series
  int64_t load_columns = 400;         // of the picture of the experts' load
  int64_t load_bytes = 3 << 20;       // of its codes, about
  size_t samples = 100, text = 4000;  // samples of text, and bytes of each
  RolloutLimits rollouts;
};

struct TextSample {
  int64_t step = 0;
  std::string prompt, text;
};

// From a step that went wrong back to a checkpoint.
struct RunRollBack {
  int64_t step = 0, to = 0;
  std::string why;
};

struct RunFolder {
  std::string path;
  MetricsLog metrics;
  LoadLog load;
  std::vector<TextSample> samples;
  std::vector<RolloutGroup> rollouts;
  // Key to value as `fathom train` takes them, the model's fields among them; empty where the run does not
  // say.
  OrderedJson recipe = OrderedJson::object();
  std::vector<RunRollBack> rollbacks;
};

// A run that goes on may be read too. Error naming the file that is missing, malformed or of another version.
RunFolder read_run_folder(const std::string& path, const ReportLimits& limits);

// Lines {"step": 1, "prompt": "...", "text": "..."}; at most limits.samples of them, evenly chosen.
std::vector<TextSample> read_samples(const std::string& path, const ReportLimits& limits);

}  // namespace fathom
