// expert_load.jsonl of a run as a picture's columns: how often each expert of each layer was chosen, over the
// average, at some of the steps.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

struct LoadLog {
  std::vector<int64_t> layers;  // the MoE layers
  int64_t experts = 0;          // of a layer
  std::vector<int64_t> steps;   // the columns
  // [steps, layers, experts], as load_code() has them.
  std::string codes;
};

// A choice's ratio to the average in a byte: 128 is the average, 24 more twice as much; 0 never chosen.
uint8_t load_code(double ratio);

// The shape of a line and its counts, checked. Error naming `where`.
struct LoadLine {
  int64_t step = 0;
  std::vector<int64_t> layers;
  std::vector<std::vector<int64_t>> choices;  // for each layer, of each expert

  LoadLine(std::string_view line, const std::string& where);
};

// At most `columns` steps, evenly chosen among the lines, and about `bytes` of codes at most. Empty where
// there is no such file. Of a long file only what is chosen is read.
LoadLog read_load(const std::string& path, int64_t columns, int64_t bytes);

}  // namespace fathom
