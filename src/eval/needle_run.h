// Asks a model for needles, through the engine, and what it answered: a list, a table, a picture.
#pragma once
#include <string>
#include <vector>

#include "engine/engine.h"
#include "eval/needle.h"
#include "io/json.h"

namespace fathom {

struct NeedleAnswer {
  NeedleItem item;  // without the prompt
  int64_t prompt_tokens = 0;
  std::string output = {};  // of greedy decoding
  bool right = false;
};

// Of one task, length and depth.
struct NeedleCell {
  NeedleTask task = NeedleTask::number;
  int64_t length = 0;
  double depth = 0;
  int64_t run = 0, right = 0;
  std::string not_run = {};  // why, where nothing was run
  double share() const { return static_cast<double>(right) / static_cast<double>(run); }
};

struct NeedleResults {
  std::vector<NeedleCell> cells;  // by task, then length, then depth, as the settings have them
  std::vector<NeedleAnswer> answers;
};

// Every item of the settings. What does not fit into the length, or into what the engine can hold, is not
// run: nothing is cut. Shows its progress. Error when it is interrupted, or when the model's output is not
// finite.
NeedleResults run_needles(Engine& engine, const NeedleMaker& maker, const NeedleSettings& settings);

OrderedJson needle_json(const NeedleSettings& settings, const NeedleResults& results);
// A row a depth, a column a length, percent.
std::string needle_table(const NeedleSettings& settings, const NeedleResults& results);
// The same as an SVG picture.
std::string needle_picture(const NeedleSettings& settings, const NeedleResults& results,
                           const std::string& title);

}  // namespace fathom
