// What AlpacaEval 2.0 knows of its baseline: how it fares against itself when it is asked to be concise or
// verbose, and how difficult each instruction is.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fathom {

struct GamedRow {
  int64_t index = 0;
  double length_difference = 0;      // D, before tanh
  std::optional<double> preference;  // in [0, 1]
};

struct GamedBaseline {
  std::vector<GamedRow> rows;
  std::vector<double> difficulty;  // by index
};

// A CSV file with the columns index, std_delta_len, instruction_difficulty and preference, as upstream's
// df_gamed.csv. Error for one that lacks a column, or an instruction of 0..instructions-1.
GamedBaseline read_gamed_baseline(const std::string& path, int64_t instructions);

}  // namespace fathom
