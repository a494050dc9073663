// Several sources read in proportion to weights: which of them each of a run's samples is from. A sample adds
// to the debt of every source its share, and is taken from the one with the largest debt, which then has one
// less. All of it is whole numbers, and the debts are back at 0 after as many samples as the shares have in
// sum: a run's place is the number of its samples and nothing else, on any ranks.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Whole numbers without a common factor in the weights' proportions, which need not add up to anything. Exact
// for whole weights with a sum of at most 65536; others are rounded to 1/65536 of the sum, but none above 0
// becomes 0. Error unless some weight is above 0.
std::vector<int64_t> mixture_shares(std::span<const double> weights);

class Mixture {
 public:
  explicit Mixture(std::span<const int64_t> shares);

  struct Sample {
    size_t source;
    int64_t number;  // of the source's samples, from 0 on
  };
  Sample operator()(int64_t i) const;
  // How many of the first `samples` are from each source.
  std::vector<int64_t> taken(int64_t samples) const;

 private:
  std::vector<int64_t> shares_;
  std::vector<Sample> cycle_;
};

}  // namespace fathom
