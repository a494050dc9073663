#include "ops/sample.h"

#include "ops/cpu/sample_log_prob.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::cpu {
namespace {

struct Candidate {
  float logit;
  int32_t id;

  bool operator<(const Candidate& other) const {  // more likely
    return logit > other.logit || (logit == other.logit && id < other.id);
  }
};

constexpr float infinity = std::numeric_limits<float>::infinity();

// One row and the memory to work on it: V candidates and V weights.
class Row {
 public:
  Row(const float* logits, int64_t V, void* memory)
      : logits_(logits),
        V_(V),
        candidates_(static_cast<Candidate*>(memory)),
        weights_(reinterpret_cast<float*>(candidates_ + V)) {}
  static size_t bytes(int64_t V) { return static_cast<size_t>(V) * (sizeof(Candidate) + sizeof(float)); }

  int32_t pick(const double* settings, int64_t top_k) {
    Candidate best{-infinity, -1};
    for (int64_t i = 0; i < V_; ++i) {
      if (!(logits_[i] < infinity)) return sample_not_finite(i);
      if (logits_[i] > best.logit) best = {logits_[i], static_cast<int32_t>(i)};
    }
    if (best.id < 0) return sample_nothing_likely;
    best_ = best;
    const double temperature = settings[sample_setting::temperature];
    if (temperature == 0) return best.id;
    inverse_ = static_cast<float>(1 / temperature);
    const Candidate last = least_kept(settings[sample_setting::top_p], top_k);
    return draw(last, settings[sample_setting::min_p], settings[sample_setting::draw]);
  }
  // Of the token that was picked.
  float log_prob(int32_t id, double temperature) const {
    if (id < 0) return std::numeric_limits<float>::quiet_NaN();
    return static_cast<float>(sample_log_prob(logits_, V_, id, best_.id, temperature == 0 ? 1 : temperature));
  }

 private:
  float weight(float logit) const {
    return logit == best_.logit ? 1.0f : std::exp((logit - best_.logit) * inverse_);
  }

  // The least likely token that top-k and top-p keep.
  Candidate least_kept(double top_p, int64_t top_k) {
    const bool some = top_k > 0 && top_k < V_;
    if (!some && top_p >= 1) return {-infinity, std::numeric_limits<int32_t>::max()};
    for (int64_t i = 0; i < V_; ++i) candidates_[i] = {logits_[i], static_cast<int32_t>(i)};
    const int64_t n = some ? top_k : V_;
    if (some) std::nth_element(candidates_, candidates_ + n - 1, candidates_ + V_);
    if (top_p >= 1) return candidates_[n - 1];
    double total = 0, mass = 0;
    for (int64_t i = 0; i < n; ++i) total += weight(candidates_[i].logit);
    // Sorts only as many of the most likely tokens as needed, in blocks of doubling size.
    for (int64_t sorted = 0; sorted < n;) {
      const int64_t end = std::min(n, std::max<int64_t>(2 * sorted, 64));
      if (end < n) std::nth_element(candidates_ + sorted, candidates_ + end, candidates_ + n);
      std::sort(candidates_ + sorted, candidates_ + end);
      for (; sorted < end; ++sorted) {
        mass += weight(candidates_[sorted].logit);
        if (mass >= top_p * total) return candidates_[sorted];
      }
    }
    return *std::max_element(candidates_, candidates_ + n);
  }

  int32_t draw(const Candidate& last, double min_p, double uniform) {
    double total = 0;
    for (int64_t i = 0; i < V_; ++i) {
      const bool kept = !(last < Candidate{logits_[i], static_cast<int32_t>(i)});
      weights_[i] = kept ? weight(logits_[i]) : 0;
      if (weights_[i] < min_p) weights_[i] = 0;
      total += weights_[i];
    }
    double left = uniform * total;
    int32_t id = -1;
    for (int64_t i = 0; i < V_; ++i) {
      if (weights_[i] <= 0) continue;
      id = static_cast<int32_t>(i);
      left -= weights_[i];
      if (left < 0) break;
    }
    return id;
  }

  const float* logits_;
  int64_t V_;
  Candidate* candidates_;
  float* weights_;
  Candidate best_{};
  float inverse_ = 0;
};

}  // namespace

void sample(Device& device, const Sample& a) {
  const int64_t V = a.logits.cols();
  with_dtype<float>("sample", a.logits.dtype, [&](float) {
    parallel_ranges(device.threads(), a.logits.rows(), 1, [&](int thread, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        Row row(a.logits.row<float>(n), V, device.scratch(thread, Row::bytes(V)));
        const double* settings = a.settings.row<double>(n);
        const int32_t id = a.ids.as<int32_t>()[n] = row.pick(settings, a.top_k.as<int32_t>()[n]);
        if (a.log_probs) a.log_probs.as<float>()[n] = row.log_prob(id, settings[sample_setting::temperature]);
      }
    });
  });
}

}  // namespace fathom::cpu
