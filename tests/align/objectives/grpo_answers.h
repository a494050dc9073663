// Answers whose log-probabilities are owned, for the tests of GRPO.
#pragma once
#include <vector>

#include "align/objectives/grpo.h"
#include "base/rng.h"

namespace fathom::testing {

struct OwnedAnswer {
  std::optional<double> advantage;
  std::vector<double> current = {}, old = {}, reference = {};
  std::vector<uint8_t> mask = {};
  bool truncated = false;
  std::vector<double> dlogp = {};

  GrpoAnswer view() {
    dlogp.assign(current.size(), -1e300);  // what is not written shows
    return {.advantage = advantage,
            .current = current,
            .old = old,
            .reference = reference,
            .mask = mask,
            .truncated = truncated,
            .dlogp = dlogp};
  }
};

inline std::vector<GrpoAnswer> views(std::vector<OwnedAnswer>& answers) {
  std::vector<GrpoAnswer> all;
  for (OwnedAnswer& a : answers) all.push_back(a.view());
  return all;
}

// A whole step by itself.
inline GrpoTotals whole_step(std::vector<OwnedAnswer>& answers, const GrpoOptions& options) {
  const std::vector<GrpoAnswer> all = views(answers);
  return grpo_loss(all, options, grpo_counts(all, options));
}

// Random answers of 1 to 9 tokens, some masked, one truncated, one without an advantage. `spread` is that of
// the log-ratios.
inline std::vector<OwnedAnswer> random_answers(uint64_t seed, double spread) {
  Rng rng(seed);
  std::vector<OwnedAnswer> answers;
  for (int64_t length : {4, 1, 9, 3, 6, 2}) {
    OwnedAnswer a{.advantage = rng.normal()};
    for (int64_t t = 0; t < length; ++t) {
      a.current.push_back(-2 * rng.uniform());
      a.old.push_back(a.current.back() + spread * rng.normal());
      a.reference.push_back(a.current.back() + 0.3 * rng.normal());
      a.mask.push_back(length == 1 || rng.uniform() < 0.7 || t == 0);
    }
    answers.push_back(a);
  }
  answers[3].advantage = std::nullopt;
  answers[4].truncated = true;
  return answers;
}

}  // namespace fathom::testing
