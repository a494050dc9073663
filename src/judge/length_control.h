// AlpacaEval 2.0's length-controlled win rate (Dubois et al. 2024): a logistic regression says how much of a
// preference is due to length and to the instruction, and the win rate is what it gives at equal lengths.
//
//   logit p = theta tanh(D) + psi d + gamma n
//
// D: the baseline's length minus the model's, over its standard deviation; d: the instruction's difficulty;
// n: 1 for the model. Besides the model's rows it is fitted to the baseline asked to be concise and verbose
// (n = 0), so that theta and psi stay near what length alone does to it.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "judge/bootstrap.h"
#include "judge/gamed_baseline.h"
#include "judge/logistic.h"

namespace fathom {

// One instruction: a model's output against the baseline's.
struct ComparedRow {
  int64_t index = 0;                 // of the instruction in the baseline's file
  std::optional<double> preference;  // 1: the baseline is better, 2: the model; none: there is no judgement
  int64_t baseline_length = 0, model_length = 0;  // in Unicode code points
};

struct LengthControlled {
  double win_rate = 0, standard_error = 0;  // in percent; the error is that of the mean of the predictions
  std::optional<Interval> interval = {};    // 95%, of fits to rows drawn again, at the same penalty
  LogisticWeights weights{};                // theta, psi, gamma
  double strength = 0;                      // the inverse penalty that cross-validation chose
};

// Nothing when it cannot be told: fewer than two rows, or lengths that all differ by the same.
std::optional<LengthControlled> control_length(std::span<const ComparedRow> rows, const GamedBaseline& gamed);

// At given weights: the mean prediction at equal lengths, over the instructions of `rows`.
LengthControlled predict_at_equal_lengths(std::span<const ComparedRow> rows, const GamedBaseline& gamed,
                                          const LogisticWeights& weights);

}  // namespace fathom
