#include "align/objectives/grpo.h"

#include "base/error.h"
#include "differences.h"
#include "golden.h"
#include "grpo_answers.h"

namespace fathom::testing {
namespace {

std::vector<GrpoOptions> all_options() {
  std::vector<GrpoOptions> all;
  for (GrpoForm form : grpo_forms)
    for (double beta : {0.0, 0.1})
      for (bool mask_truncated : {false, true})
        all.push_back({.form = form,
                       .clip_low = 0.2,
                       .clip_high = 0.3,
                       .beta = beta,
                       .length = 12,
                       .mask_truncated = mask_truncated});
  return all;
}

std::string title(const GrpoOptions& o) {
  return fmt::format("{}, beta {}, limit {}{}", name_of(o.form), o.beta, o.ratio_limit,
                     o.mask_truncated ? ", truncated masked" : "");
}

TEST(Grpo, DerivativesMatchDifferences) {
  for (GrpoOptions options : all_options())
    for (double limit : {double(INFINITY), 1.4}) {
      options.ratio_limit = limit;
      for (uint64_t seed : {1, 2, 3}) {
        std::vector<OwnedAnswer> answers = random_answers(seed, 0.4);
        const GrpoTotals totals = whole_step(answers, options);
        Doubles flat, analytic;
        for (const OwnedAnswer& a : answers) {
          flat.insert(flat.end(), a.current.begin(), a.current.end());
          analytic.insert(analytic.end(), a.dlogp.begin(), a.dlogp.end());
        }
        expect_derivatives(
            analytic, flat,
            [&](const Doubles& x) {
              size_t next = 0;
              for (OwnedAnswer& a : answers)
                for (double& current : a.current) current = x[next++];
              return whole_step(answers, options).loss;
            },
            title(options));
        EXPECT_GT(totals.clipped_low + totals.clipped_high, 0) << title(options);  // both sides of the kinks
      }
    }
}

// Micro-batches and ranks: with the counts of the whole step, the parts' losses and metrics add up and the
// derivatives are the same bits.
TEST(Grpo, PartsOfAStepAddUp) {
  for (const GrpoOptions& options : all_options()) {
    std::vector<OwnedAnswer> answers = random_answers(7, 0.3);
    const GrpoTotals whole = whole_step(answers, options);
    std::vector<OwnedAnswer> parted = answers;
    std::vector<GrpoAnswer> all = views(parted);
    const std::span<const GrpoAnswer> parts[] = {{all.data(), 1}, {all.data() + 1, 3}, {all.data() + 4, 2}};
    GrpoCounts step;
    for (const auto& part : parts) step.add(grpo_counts(part, options));
    GrpoTotals sum;
    for (const auto& part : parts) sum.add(grpo_loss(part, options, step));
    for (size_t i = 0; i < answers.size(); ++i)
      EXPECT_EQ(answers[i].dlogp, parted[i].dlogp) << title(options);
    EXPECT_NEAR(sum.loss, whole.loss, 1e-14);
    EXPECT_NEAR(sum.policy_loss, whole.policy_loss, 1e-14);
    EXPECT_NEAR(sum.mean_kl(), whole.mean_kl(), 1e-14);
    EXPECT_NEAR(sum.mean_ratio(), whole.mean_ratio(), 1e-14);
    EXPECT_EQ(sum.ratio_max, whole.ratio_max);
    EXPECT_EQ(sum.clipped_low, whole.clipped_low);
    EXPECT_EQ(sum.clipped_high, whole.clipped_high);
    EXPECT_EQ(sum.ratios, whole.ratios);
  }
}

// What does not take part is not read, and is in no denominator: the step is the one without it.
TEST(Grpo, WhatTakesNoPartIsAsIfItWereNotThere) {
  for (const GrpoOptions& options : all_options()) {
    std::vector<OwnedAnswer> answers = random_answers(5, 0.3), fewer;
    for (OwnedAnswer& a : answers) {
      const bool out = !a.advantage || (a.truncated && options.mask_truncated);
      OwnedAnswer kept{.advantage = a.advantage};
      for (size_t t = 0; t < a.current.size(); ++t)
        if (out || !a.mask[t])
          a.current[t] = a.old[t] = a.reference[t] = NAN;
        else
          kept.current.push_back(a.current[t]), kept.old.push_back(a.old[t]),
              kept.reference.push_back(a.reference[t]);
      if (!out) fewer.push_back(kept);
    }
    answers.push_back({.advantage = 1.0, .current = {NAN}, .old = {NAN}, .reference = {NAN}, .mask = {0}});
    answers.push_back({.advantage = 1.0, .current = {}});
    const GrpoTotals got = whole_step(answers, options), want = whole_step(fewer, options);
    EXPECT_EQ(got.loss, want.loss) << title(options);
    EXPECT_EQ(got.kl_sum, want.kl_sum);
    EXPECT_EQ(got.ratios, want.ratios);
    Doubles kept, expected;
    for (const OwnedAnswer& a : answers)
      for (size_t t = 0; t < a.current.size(); ++t) {
        if (std::isnan(a.current[t]))
          EXPECT_EQ(a.dlogp[t], 0);
        else
          kept.push_back(a.dlogp[t]);
      }
    for (const OwnedAnswer& a : fewer) expected.insert(expected.end(), a.dlogp.begin(), a.dlogp.end());
    EXPECT_EQ(kept, expected);
  }
}

TEST(Grpo, AStepThatNobodyTakesPartIn) {
  for (const GrpoOptions& options : all_options()) {
    std::vector<OwnedAnswer> answers = {
        {.advantage = std::nullopt, .current = {-1, -2}, .reference = {-1, -1}}};
    const GrpoTotals totals = whole_step(answers, options);
    EXPECT_EQ(totals.loss, 0);
    EXPECT_EQ(totals.mean_ratio(), 1);
    EXPECT_EQ(totals.mean_kl() + totals.low_share() + totals.high_share(), 0);
    EXPECT_EQ(answers[0].dlogp, Doubles({0, 0}));
  }
}

// Kept groups without a gradient of the policy are in the KL term and in the denominators.
TEST(Grpo, AnAdvantageOfZeroCounts) {
  const GrpoOptions options{.form = GrpoForm::token, .beta = 0.5};
  std::vector<OwnedAnswer> answers = {{.advantage = 1.0, .current = {-1}, .reference = {-1}},
                                      {.advantage = 0.0, .current = {-1}, .reference = {-1.5}}};
  const GrpoTotals totals = whole_step(answers, options);
  EXPECT_NEAR(answers[0].dlogp[0], -0.5, 1e-15);
  EXPECT_NEAR(answers[1].dlogp[0], 0.25 * (1 - std::exp(-0.5)), 1e-15);
  EXPECT_NEAR(totals.mean_kl(), (std::exp(-0.5) - 0.5) / 2, 1e-15);
  EXPECT_NEAR(totals.policy_loss, -0.5, 1e-15);
}

// Without old log-probabilities the ratios are 1, in value and derivative as with equal ones.
TEST(Grpo, TheFirstUpdateAfterARollout) {
  for (const GrpoOptions& options : all_options()) {
    std::vector<OwnedAnswer> absent = random_answers(9, 0), equal = random_answers(9, 0);
    for (OwnedAnswer& a : absent) a.old.clear();
    const GrpoTotals a = whole_step(absent, options), b = whole_step(equal, options);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.mean_ratio(), 1);
    EXPECT_EQ(a.clipped_low + a.clipped_high, 0);
    for (size_t i = 0; i < absent.size(); ++i) EXPECT_EQ(absent[i].dlogp, equal[i].dlogp);
  }
}

// Eq. 32 clips a side only where it would be exceeded further.
TEST(Grpo, Clipping) {
  const auto slope = [](double ratio, double advantage, double limit) {
    std::vector<OwnedAnswer> answers = {
        {.advantage = advantage, .current = {std::log(ratio) - 1}, .old = {-1}}};
    const GrpoTotals totals = whole_step(answers, {.clip_low = 0.2, .clip_high = 0.3, .ratio_limit = limit});
    EXPECT_EQ(totals.clipped_high, ratio > 1.3 && advantage > 0);
    EXPECT_EQ(totals.clipped_low, ratio < 0.8 && advantage < 0);
    return std::pair(totals.loss, answers[0].dlogp[0]);
  };
  const double inf = INFINITY;
  const auto near = [](std::pair<double, double> got, double loss, double slope) {
    EXPECT_NEAR(got.first, loss, 1e-14);
    EXPECT_NEAR(got.second, slope, 1e-14);
  };
  near(slope(1.25, 2, inf), -2.5, -2.5);
  near(slope(1.5, 2, inf), -2.6, 0);  // good, and far enough up
  near(slope(0.5, 2, inf), -1, -1);   // good, and too far down: may return
  near(slope(0.5, -2, inf), 1.6, 0);  // bad, and far enough down
  near(slope(1.5, -2, inf), 3, 3);    // bad, and too far up: may return
  near(slope(5, -2, inf), 10, 10);    // without a bound
  near(slope(5, -2, 3), 6, 0);        // but for the limit
  near(slope(1.5, 0, inf), 0, 0);
}

TEST(Grpo, FarLogRatiosStayFinite) {
  for (const GrpoOptions& options : all_options())
    for (double far : {800.0, -800.0}) {
      std::vector<OwnedAnswer> answers = {
          {.advantage = -1.0, .current = {far - 1000, -1}, .old = {-1000, -1}, .reference = {-1000, -1}},
          {.advantage = 1.0, .current = {far - 1000, -1}, .old = {-1000, -1}, .reference = {-1000, -1}}};
      const GrpoTotals totals = whole_step(answers, options);
      EXPECT_TRUE(std::isfinite(totals.loss)) << title(options);
      EXPECT_LE(totals.ratio_max, std::exp(grpo_log_limit));
      EXPECT_GT(totals.limited, 0);
      for (const OwnedAnswer& a : answers)
        for (double d : a.dlogp) EXPECT_TRUE(std::isfinite(d));
      // Far above the reference the KL term is linear: it still pulls back, and ratios have no say.
      EXPECT_EQ(answers[1].dlogp[0] > 0, far > 0 && options.beta > 0);
      EXPECT_EQ(answers[0].dlogp[0] > 0, far > 0 && options.beta > 0);
    }
}

TEST(Grpo, NanIsNotHidden) {
  for (const GrpoOptions& options : all_options()) {
    std::vector<OwnedAnswer> answers = {
        {.advantage = 1.0, .current = {-1, NAN}, .old = {-1, -1}, .reference = {-1, -1}}};
    EXPECT_TRUE(std::isnan(whole_step(answers, options).loss)) << title(options);
  }
}

TEST(Grpo, WrongInputsAreErrors) {
  for (const GrpoOptions& options : all_options()) check_options(options);
  for (const GrpoOptions& bad : {GrpoOptions{.clip_low = -0.1},
                                 {.clip_low = 1.1},
                                 {.clip_high = -1},
                                 {.clip_high = NAN},
                                 {.ratio_limit = 1},
                                 {.beta = -1},
                                 {.beta = INFINITY},
                                 {.form = GrpoForm::dr_grpo}})
    EXPECT_THROW(check_options(bad), Error);
  const OwnedAnswer good{.advantage = 1.0, .current = {-1, -2}, .old = {-1, -2}, .reference = {-1, -2}};
  const auto wrong = [&](const auto& change, double beta = 0.1) {
    std::vector<OwnedAnswer> answers = {good};
    change(answers[0]);
    EXPECT_THROW(whole_step(answers, {.beta = beta}), Error);
  };
  wrong([](OwnedAnswer& a) { a.old.pop_back(); });
  wrong([](OwnedAnswer& a) { a.reference.clear(); });
  wrong([](OwnedAnswer& a) { a.reference.pop_back(); }, 0);
  wrong([](OwnedAnswer& a) { a.mask = {1}; });
  std::vector<OwnedAnswer> answers = {good};
  EXPECT_THROW(grpo_loss(views(answers), {}, {}), Error);  // a step that does not have it
}

}  // namespace
}  // namespace fathom::testing
