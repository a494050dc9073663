#include "align/objectives/grpo.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace fathom {
namespace {

// A term of the loss, and its derivative by what it is a function of.
struct Term {
  double value, slope;
};

// -S(exp(log_ratio)), by log_ratio.
Term clipped_objective(double log_ratio, double advantage, const GrpoOptions& o, GrpoTotals& totals) {
  const double x = std::clamp(log_ratio, -grpo_log_limit, grpo_log_limit), ratio = std::exp(x);
  const double low = 1 - o.clip_low, high = 1 + o.clip_high;
  ++totals.ratios;
  totals.ratio_sum += ratio;
  totals.ratio_max = std::max(totals.ratio_max, ratio);
  totals.clipped_low += ratio < low && advantage < 0;
  totals.clipped_high += ratio > high && advantage > 0;
  totals.limited += x != log_ratio;
  const double free = std::min(ratio, o.ratio_limit) * advantage,
               clipped = std::clamp(ratio, low, high) * advantage;
  const bool moves = free <= clipped && ratio <= o.ratio_limit && x == log_ratio;
  return {-std::min(clipped, free), moves ? -ratio * advantage : 0};
}

// k(x), x = log of reference over current, by the log-probability of current.
Term k3(double log_ratio, GrpoTotals& totals) {
  const double x = std::min(log_ratio, grpo_log_limit), above = std::expm1(x);
  ++totals.kl_terms;
  totals.kl_sum += above - x;
  totals.limited += x != log_ratio;
  return {above - x, x == log_ratio ? -above : 0};
}

bool counts(const GrpoAnswer& a, size_t t) {
  return a.mask.empty() || a.mask[t] != 0;
}
int64_t counted_tokens(const GrpoAnswer& a) {
  int64_t n = 0;
  for (size_t t = 0; t < a.current.size(); ++t) n += counts(a, t);
  return n;
}
bool takes_part(const GrpoAnswer& a, const GrpoOptions& o) {
  return a.advantage && !(a.truncated && o.mask_truncated) && counted_tokens(a) > 0;
}

double log_ratio(const GrpoAnswer& a, size_t t) {
  return a.old.empty() ? 0 : a.current[t] - a.old[t];
}
double log_reference(const GrpoAnswer& a, size_t t) {
  return a.reference[t] - a.current[t];
}

void check_mask(const GrpoAnswer& a) {
  check(a.mask.empty() || a.mask.size() == a.current.size(),
        "GRPO: an answer of {} tokens with {} mask entries", a.current.size(), a.mask.size());
}
void check_lengths(const GrpoAnswer& a, const GrpoOptions& o) {
  check_mask(a);
  const auto length = [&](const char* what, size_t got, bool may_be_absent) {
    check(got == a.current.size() || (may_be_absent && got == 0), "GRPO: an answer of {} tokens with {} {}",
          a.current.size(), got, what);
  };
  length("old log-probabilities", a.old.size(), true);
  length("reference log-probabilities", a.reference.size(), o.beta == 0);
  length("places for derivatives", a.dlogp.size(), false);
}

// How a form weighs an answer of n tokens.
struct Weights {
  double policy, kl;       // of a token's terms, or of the answer's
  double ratio_share = 0;  // not 0: one ratio an answer, of this share of the sum of its log-ratios
  bool whole_kl = false;   // one KL term an answer
};
Weights weights_of(const GrpoOptions& o, const GrpoCounts& step, int64_t tokens) {
  const auto answers = static_cast<double>(step.answers), n = static_cast<double>(tokens);
  switch (o.form) {
    case GrpoForm::sequence:
      return {.policy = 1 / answers, .kl = 1 / answers, .ratio_share = 1, .whole_kl = true};
    case GrpoForm::token:
      return {.policy = 1 / (answers * n), .kl = 1 / (answers * n)};
    case GrpoForm::token_mean:
      return {.policy = 1 / static_cast<double>(step.tokens), .kl = 1 / static_cast<double>(step.tokens)};
    case GrpoForm::dr_grpo:
      return {.policy = 1 / (answers * o.length), .kl = 1 / (answers * o.length)};
    case GrpoForm::gspo:
      break;
  }
  return {.policy = 1 / answers, .kl = 1 / (answers * n), .ratio_share = 1 / n};
}

template <class Value>
double sum_over_tokens(const GrpoAnswer& a, const Value& value) {
  double sum = 0;
  for (size_t t = 0; t < a.current.size(); ++t)
    if (counts(a, t)) sum += value(a, t);
  return sum;
}

void add_answer(const GrpoAnswer& a, const GrpoOptions& o, const Weights& w, GrpoTotals& totals) {
  const bool whole_ratio = w.ratio_share != 0, has_kl = o.beta != 0;
  Term policy{}, kl{};  // those of the answer, then of one token after another
  double policy_sum = 0, kl_sum = 0;
  if (whole_ratio) {
    policy = clipped_objective(w.ratio_share * sum_over_tokens(a, log_ratio), *a.advantage, o, totals);
    policy.slope *= w.ratio_share;
    policy_sum = policy.value;
  }
  if (has_kl && w.whole_kl) {
    kl = k3(sum_over_tokens(a, log_reference), totals);
    kl_sum = kl.value;
  }
  for (size_t t = 0; t < a.current.size(); ++t) {
    if (!counts(a, t)) continue;
    if (!whole_ratio) {
      policy = clipped_objective(log_ratio(a, t), *a.advantage, o, totals);
      policy_sum += policy.value;
    }
    if (has_kl && !w.whole_kl) {
      kl = k3(log_reference(a, t), totals);
      kl_sum += kl.value;
    }
    a.dlogp[t] = w.policy * policy.slope + o.beta * w.kl * kl.slope;
  }
  totals.policy_loss += w.policy * policy_sum;
  totals.loss += w.policy * policy_sum + o.beta * w.kl * kl_sum;
}

}  // namespace

std::string_view name_of(GrpoForm form) {
  switch (form) {
    case GrpoForm::sequence:
      return "sequence";
    case GrpoForm::token:
      return "token";
    case GrpoForm::token_mean:
      return "token_mean";
    case GrpoForm::dr_grpo:
      return "dr_grpo";
    case GrpoForm::gspo:
      break;
  }
  return "gspo";
}

void check_options(const GrpoOptions& o) {
  check(o.clip_low >= 0 && o.clip_low <= 1, "GRPO: clip_low is {}, which is not in [0, 1]", o.clip_low);
  check(o.clip_high >= 0, "GRPO: clip_high is {}, which is below 0", o.clip_high);
  check(o.ratio_limit > 1, "GRPO: ratio_limit is {}, which is not above 1", o.ratio_limit);
  check(o.beta >= 0 && std::isfinite(o.beta), "GRPO: beta is {}, which is below 0 or not finite", o.beta);
  check(o.form != GrpoForm::dr_grpo || (o.length > 0 && std::isfinite(o.length)),
        "GRPO: the form dr_grpo needs a positive length, got {}", o.length);
}

void GrpoCounts::add(const GrpoCounts& other) {
  answers += other.answers;
  tokens += other.tokens;
}

GrpoCounts grpo_counts(std::span<const GrpoAnswer> answers, const GrpoOptions& options) {
  GrpoCounts counts;
  for (const GrpoAnswer& a : answers) {
    check_mask(a);
    if (takes_part(a, options)) counts.add({.answers = 1, .tokens = counted_tokens(a)});
  }
  return counts;
}

void GrpoTotals::add(const GrpoTotals& other) {
  loss += other.loss;
  policy_loss += other.policy_loss;
  ratios += other.ratios;
  ratio_sum += other.ratio_sum;
  ratio_max = std::max(ratio_max, other.ratio_max);
  clipped_low += other.clipped_low;
  clipped_high += other.clipped_high;
  limited += other.limited;
  kl_terms += other.kl_terms;
  kl_sum += other.kl_sum;
}

GrpoTotals grpo_loss(std::span<const GrpoAnswer> answers, const GrpoOptions& options,
                     const GrpoCounts& step) {
  GrpoTotals totals;
  for (const GrpoAnswer& a : answers) {
    check_lengths(a, options);
    std::fill(a.dlogp.begin(), a.dlogp.end(), 0.0);
    if (!takes_part(a, options)) continue;
    const int64_t tokens = counted_tokens(a);
    check(step.answers > 0 && step.tokens >= tokens,
          "GRPO: a step of {} answers and {} tokens lacks one of {}", step.answers, step.tokens, tokens);
    add_answer(a, options, weights_of(options, step, tokens), totals);
  }
  return totals;
}

}  // namespace fathom
