#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"

namespace fathom {

void check_sampling(const SamplingParameters& p) {
  check(std::isfinite(p.temperature) && p.temperature >= 0, "temperature must be 0 or more, it is {}",
        p.temperature);
  check(p.top_k >= 0, "top_k must be 0 (off) or more, it is {}", p.top_k);
  check(p.top_p > 0 && p.top_p <= 1, "top_p must be above 0 and at most 1, it is {}", p.top_p);
  check(p.min_p >= 0 && p.min_p <= 1, "min_p must be between 0 and 1, it is {}", p.min_p);
}

template <class T>
void Sampler::load(const T* logits) {
  candidates_.resize(vocabulary_);
  for (int64_t i = 0; i < vocabulary_; ++i)
    candidates_[i] = {static_cast<float>(logits[i]), static_cast<int32_t>(i)};
}

Sampler::Candidate Sampler::largest() const {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  Candidate best{-infinity, -1};
  for (const Candidate& c : candidates_) {
    check(c.weight < infinity, "the model's output is not finite: the logit of token {} is {}", c.id,
          c.weight);
    if (c.weight > best.weight) best = c;
  }
  check(best.id >= 0, "the model's output is not finite: every logit is minus infinity");
  return best;
}

void Sampler::keep_top_k(int64_t k) {
  if (k == 0 || k >= static_cast<int64_t>(candidates_.size())) return;
  std::nth_element(candidates_.begin(), candidates_.begin() + k, candidates_.end(), more_likely);
  candidates_.resize(k);
}

// Sorts only as many of the most likely as are needed, in blocks that double.
void Sampler::keep_top_p(double p) {
  if (p >= 1) return;
  const double wanted = p * total();
  const int64_t n = static_cast<int64_t>(candidates_.size());
  double mass = 0;
  for (int64_t sorted = 0; sorted < n;) {
    const int64_t end = std::min(n, std::max<int64_t>(2 * sorted, 64));
    const auto first = candidates_.begin() + sorted, last = candidates_.begin() + end;
    if (end < n) std::nth_element(first, last, candidates_.end(), more_likely);
    std::sort(first, last, more_likely);
    for (; sorted < end; ++sorted) {
      mass += candidates_[sorted].weight;
      if (mass >= wanted) return candidates_.resize(sorted + 1);
    }
  }
}

double Sampler::total() const {
  double sum = 0;
  for (const Candidate& c : candidates_) sum += c.weight;
  return sum;
}

int32_t Sampler::draw(double uniform) const {
  double left = uniform * total();
  int32_t id = -1;
  for (const Candidate& c : candidates_) {
    if (c.weight <= 0) continue;
    id = c.id;
    left -= c.weight;
    if (left < 0) break;
  }
  return id;
}

int32_t Sampler::sample(const Tensor& logits, const SamplingParameters& p, int64_t position) {
  assert(logits.rank == 1 && logits.cols() >= vocabulary_);
  if (logits.dtype == DType::f64)
    load(logits.as<double>());
  else
    load(logits.as<float>());
  const Candidate best = largest();
  if (p.temperature == 0) return best.id;
  keep_top_k(p.top_k);
  const float inverse = static_cast<float>(1 / p.temperature);
  for (Candidate& c : candidates_)
    c.weight = c.weight == best.weight ? 1.0f : std::exp((c.weight - best.weight) * inverse);
  keep_top_p(p.top_p);
  // The most likely token weighs 1, so a weight is the ratio that min-p asks for.
  std::erase_if(candidates_, [&](const Candidate& c) { return c.weight < p.min_p; });
  return draw(Rng(p.seed, static_cast<uint64_t>(position)).uniform());
}

}  // namespace fathom
