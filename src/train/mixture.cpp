#include "train/mixture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace fathom {
namespace {

constexpr double finest = 65536;  // parts of the whole

}  // namespace

std::vector<int64_t> mixture_shares(std::span<const double> weights) {
  double sum = 0;
  bool whole = true;
  for (const double w : weights) {
    check(std::isfinite(w) && w >= 0, "a weight must be a number of at least 0, got {:g}", w);
    sum += w;
    whole &= w == std::floor(w);
  }
  check(sum > 0, "no weight is above 0");
  const double scale = whole && sum <= finest ? 1 : finest / sum;
  std::vector<int64_t> shares;
  int64_t divisor = 0;
  for (const double w : weights) {
    shares.push_back(w > 0 ? std::max<int64_t>(1, std::llround(w * scale)) : 0);
    divisor = std::gcd(divisor, shares.back());
  }
  for (int64_t& share : shares) share /= divisor;
  return shares;
}

Mixture::Mixture(std::span<const int64_t> shares) : shares_(shares.begin(), shares.end()) {
  const int64_t sum = std::accumulate(shares.begin(), shares.end(), int64_t{0});
  std::vector<int64_t> debts(shares.size()), numbers(shares.size());
  for (int64_t i = 0; i < sum; ++i) {
    for (size_t s = 0; s < debts.size(); ++s) debts[s] += shares_[s];
    const auto source = static_cast<size_t>(std::max_element(debts.begin(), debts.end()) - debts.begin());
    debts[source] -= sum;
    cycle_.push_back({source, numbers[source]++});
  }
}

Mixture::Sample Mixture::operator()(int64_t i) const {
  const auto size = static_cast<int64_t>(cycle_.size());
  const Sample& sample = cycle_[static_cast<size_t>(i % size)];
  return {sample.source, sample.number + i / size * shares_[sample.source]};
}

std::vector<int64_t> Mixture::taken(int64_t samples) const {
  const auto size = static_cast<int64_t>(cycle_.size());
  std::vector<int64_t> taken = shares_;
  for (int64_t& n : taken) n *= samples / size;
  for (int64_t i = 0; i < samples % size; ++i) ++taken[cycle_[static_cast<size_t>(i)].source];
  return taken;
}

}  // namespace fathom
