// Which lines of a log count. A run that goes on from a checkpoint writes steps a second time; where a line's
// step is lower than the one before, everything that an earlier line says of that step and later ones is
// void.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace fathom {

class LogOrder {
 public:
  // First every line's step, in the order of the lines, ...
  void add(int64_t step);
  // ... then this, once, ...
  void finish();
  // ... then whether line number `line` (from 0, rising from call to call) counts.
  bool counts(int64_t line, int64_t step);

  int64_t lines() const { return lines_; }
  // Of the lines that count.
  int64_t first_step() const { return first_; }
  int64_t last_step() const { return last_; }

 private:
  // Lines whose steps do not fall.
  struct Stretch {
    int64_t line, step;  // its first
    int64_t limit;       // steps from here on were written again later
  };
  std::vector<Stretch> stretches_;
  size_t current_ = 0;
  int64_t lines_ = 0, first_ = 0, last_ = -1;
};

}  // namespace fathom
