// Golden files of tests/golden_align (tools/make_align_golden.py), and what is compared with them. Both sides
// are in f64.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "io/json.h"
#include "support/compare.h"
#include "support/paths.h"

namespace fathom::testing {

using Doubles = std::vector<double>;

inline Json golden_cases(const std::string& name) {
  return read_json(source_dir() + "/tests/golden_align/" + name + ".json").at("cases");
}

// |got - want| over |want|, as vectors; the absolute error where `want` is 0.
inline double relative_difference(const Doubles& got, const Doubles& want) {
  if (got.size() != want.size()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i)
    difference += (got[i] - want[i]) * (got[i] - want[i]), norm += want[i] * want[i];
  return std::sqrt(difference) / (norm > 0 ? std::sqrt(norm) : 1);
}

// Compares, and prints a line of the parity table in docs/objectives.md.
class Parity {
 public:
  explicit Parity(std::string title) : title_(std::move(title)) {}
  void expect(const char* what, const Doubles& got, const Doubles& want, DType type = DType::f64) {
    const double error = relative_difference(got, want);
    EXPECT_LE(error, tolerance(type)) << title_ << ": " << what;
    line_ += (line_.empty() ? "" : ", ") + fmt::format("{} {:.1e}", what, error);
  }
  ~Parity() { fmt::print("{}: {}\n", title_, line_); }
  Parity(const Parity&) = delete;
  Parity& operator=(const Parity&) = delete;

 private:
  std::string title_, line_;
};

}  // namespace fathom::testing
