// The tensors of a file against those that a model has: names, shapes and types; no data is read.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "io/checkpoint.h"
#include "model/weights.h"

namespace fathom {

class TensorComparison {
 public:
  explicit TensorComparison(const CheckpointReader& checkpoint) : checkpoint_(checkpoint) {}

  // A tensor that must be there, of a float type.
  void expect(const std::string& name, const std::vector<int64_t>& shape);
  // All that a weight is stored as (stored_parts).
  void expect_parts(const WeightInfo& weight);
  // Whether more would not be counted: a config may claim any number of tensors.
  bool enough() const;
  // Error with the first fault, its file, and how many more there are. What was not expected is one too,
  // unless `derived` says that it follows from the rest.
  void report(const std::function<bool(const std::string& name)>& derived = {});

 private:
  template <class... Args>
  void add(const std::string& file, const char* format, const Args&... args);

  const CheckpointReader& checkpoint_;
  std::unordered_set<std::string> expected_;
  int64_t faults_ = 0;
  std::string first_;
};

}  // namespace fathom
