#include "compare/paired_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/rng.h"
#include "base/threads.h"

namespace fathom {
namespace {

constexpr size_t enumerated = 13;  // clusters
constexpr int64_t drawn = 9999;

}  // namespace

double mcnemar_exact(int64_t only_a, int64_t only_b) {
  const auto n = static_cast<double>(only_a + only_b), k = static_cast<double>(std::min(only_a, only_b));
  // The tail over its largest term, which alone may be too small for a double.
  double sum = 0, term = 1;
  for (double i = k; i >= 0 && term > 1e-17 * sum; --i) {
    sum += term;
    term *= i / (n - i + 1);
  }
  const double log_largest =
      std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) - n * std::numbers::ln2;
  return std::min(1.0, 2 * sum * std::exp(log_largest));
}

SignFlips::SignFlips(std::span<const double> parts, size_t models, uint64_t seed, int threads)
    : models_(models), observed_(models) {
  const size_t clusters = parts.size() / models;
  for (size_t c = 0; c < clusters; ++c)
    for (size_t m = 0; m < models; ++m) observed_[m] += parts[c * models + m];
  exact_ = clusters <= enumerated;
  const int64_t flips = exact_ ? int64_t{1} << clusters : drawn;
  flipped_.resize(static_cast<size_t>(flips) * models);
  parallel_ranges(threads, flips, 1, [&](int, int64_t begin, int64_t end) {
    for (int64_t f = begin; f < end; ++f) {
      Rng rng(seed, static_cast<uint64_t>(f));
      double* to = &flipped_[static_cast<size_t>(f) * models];
      uint64_t signs = static_cast<uint64_t>(f);
      for (size_t c = 0; c < clusters; ++c) {
        if (!exact_ && c % 64 == 0) signs = rng.next_u64();
        const double sign = signs >> (c % 64) & 1 ? -1 : 1;
        for (size_t m = 0; m < models; ++m) to[m] += sign * parts[c * models + m];
      }
    }
  });
}

double SignFlips::p(size_t a, size_t b) const {
  const double observed = std::abs(observed_[a] - observed_[b]);
  const double least = observed - 1e-12 * std::max(1.0, observed);  // rounding makes no difference of equals
  int64_t as_much = 0;
  const size_t flips = flipped_.size() / models_;
  for (size_t f = 0; f < flips; ++f)
    as_much += std::abs(flipped_[f * models_ + a] - flipped_[f * models_ + b]) >= least;
  return exact_ ? static_cast<double>(as_much) / static_cast<double>(flips)
                : static_cast<double>(as_much + 1) / static_cast<double>(flips + 1);
}

std::string SignFlips::name() const {
  return exact_ ? "sign-flip permutation, exact" : fmt::format("sign-flip permutation, {} draws", drawn);
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double most = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    most = std::max(most, std::min(1.0, static_cast<double>(p.size() - i) * p[order[i]]));
    adjusted[order[i]] = most;
  }
  return adjusted;
}

}  // namespace fathom
