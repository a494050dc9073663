#include "align/objectives/preference.h"

#include "base/error.h"
#include "base/rng.h"
#include "differences.h"
#include "golden.h"

namespace fathom::testing {
namespace {

PreferencePair pair_of_margin(double h) {
  return {.chosen = -20 + h,
          .rejected = -30,
          .reference_chosen = -20,
          .reference_rejected = -30,
          .chosen_tokens = 3,
          .rejected_tokens = 5};
}

std::vector<PreferenceOptions> all_options() {
  std::vector<PreferenceOptions> all;
  for (PreferenceForm form : preference_forms)
    for (bool per_token : {false, true}) {
      all.push_back({.form = form, .beta = 0.3, .per_token = per_token});
      if (form == PreferenceForm::sigmoid || form == PreferenceForm::robust)
        all.push_back({.form = form, .beta = 0.3, .label_smoothing = 0.2, .per_token = per_token});
    }
  return all;
}

// The policy is the reference: ln 2 for every pair, whatever its answers' lengths and log-probabilities.
TEST(Preference, TheFirstLossIsLn2) {
  Rng rng(1);
  for (const PreferenceOptions& options : all_options()) {
    PreferenceTotals totals;
    for (int i = 0; i < 20; ++i) {
      const double chosen = -300 * rng.uniform(), rejected = -300 * rng.uniform();
      totals.add(preference_loss({.chosen = chosen,
                                  .rejected = rejected,
                                  .reference_chosen = chosen,
                                  .reference_rejected = rejected,
                                  .chosen_tokens = 1 + i,
                                  .rejected_tokens = 20 - i},
                                 options));
    }
    const double first = options.form == PreferenceForm::ipo     ? 1 / (4 * options.beta * options.beta)
                         : options.form == PreferenceForm::hinge ? 1
                                                                 : std::log(2);
    EXPECT_NEAR(totals.loss / 20, first, 1e-13) << name_of(options.form);
    EXPECT_EQ(totals.pairs, 20);
    EXPECT_EQ(totals.correct, 10);  // all are ties
    EXPECT_EQ(totals.chosen_reward, 0);
  }
}

TEST(Preference, DerivativesMatchDifferences) {
  for (const PreferenceOptions& options : all_options())
    for (double h : {-7.0, -0.4, 0.0, 0.9, 2.5, 12.0}) {
      const PreferencePair pair = pair_of_margin(h);
      const PreferenceLoss loss = preference_loss(pair, options);
      expect_derivatives(
          {loss.dchosen, loss.drejected}, {pair.chosen, pair.rejected},
          [&](const Doubles& x) {
            PreferencePair moved = pair;
            moved.chosen = x[0], moved.rejected = x[1];
            return preference_loss(moved, options).loss;
          },
          fmt::format("{} at {}", name_of(options.form), h));
    }
}

TEST(Preference, FarMarginsStayFinite) {
  const PreferenceLoss lost = preference_loss(pair_of_margin(-1e6), {.beta = 0.5}),
                       won = preference_loss(pair_of_margin(1e6), {.beta = 0.5});
  EXPECT_NEAR(lost.loss, 5e5, 1e-6);
  EXPECT_NEAR(lost.dchosen, -0.5, 1e-15);
  EXPECT_NEAR(lost.drejected, 0.5, 1e-15);
  EXPECT_EQ(won.loss, 0);
  EXPECT_EQ(won.dchosen, 0);
  // Where the loss is nearly 0 it keeps its digits.
  EXPECT_NEAR(preference_loss(pair_of_margin(50), {.beta = 1}).loss / std::exp(-50), 1, 1e-12);
}

TEST(Preference, RewardsAreThoseOfTheSums) {
  const PreferenceLoss loss = preference_loss({.chosen = -10,
                                               .rejected = -12,
                                               .reference_chosen = -11,
                                               .reference_rejected = -9,
                                               .chosen_tokens = 4,
                                               .rejected_tokens = 2},
                                              {.beta = 0.1, .per_token = true});
  EXPECT_NEAR(loss.chosen_reward, 0.1, 1e-15);
  EXPECT_NEAR(loss.rejected_reward, -0.3, 1e-15);
  EXPECT_NEAR(loss.margin(), 0.4, 1e-15);
  EXPECT_EQ(loss.correct(), 1);
  EXPECT_EQ(preference_loss(pair_of_margin(-1), {}).correct(), 0);
}

TEST(Preference, TotalsAddUp) {
  PreferenceTotals all, first, second;
  for (double h : {-1.0, 0.0, 3.0, 0.5}) {
    const PreferenceLoss loss = preference_loss(pair_of_margin(h), {});
    all.add(loss);
    (h < 1 ? first : second).add(loss);
  }
  first.add(second);
  EXPECT_EQ(first.pairs, 4);
  EXPECT_NEAR(first.loss, all.loss, 1e-15);
  EXPECT_EQ(first.correct, 2.5);
  EXPECT_NEAR(first.chosen_reward, 0.1 * 2.5, 1e-14);
}

TEST(Preference, OptionsAreChecked) {
  for (const PreferenceOptions& good : all_options()) check_options(good);
  for (double beta : {0.0, -1.0, double(NAN), double(INFINITY)})
    EXPECT_THROW(check_options({.beta = beta}), Error);
  for (double smoothing : {-0.1, 0.5, 1.0, double(NAN)})
    EXPECT_THROW(check_options({.label_smoothing = smoothing}), Error);
  EXPECT_THROW(check_options({.form = PreferenceForm::ipo, .label_smoothing = 0.1}), Error);
  PreferencePair empty = pair_of_margin(1);
  empty.rejected_tokens = 0;
  EXPECT_THROW(preference_loss(empty, {.per_token = true}), Error);
}

PreferenceForm form_named(const std::string& name) {
  for (PreferenceForm form : preference_forms)
    if (name == name_of(form)) return form;
  fail("no form {}", name);
}

TEST(Preference, AsTrlHasIt) {
  for (const Json& c : golden_cases("preference")) {
    const PreferenceOptions options{.form = form_named(c.at("form")),
                                    .beta = c.at("beta"),
                                    .label_smoothing = c.at("label_smoothing"),
                                    .per_token = c.at("per_token")};
    const auto pairs = static_cast<double>(c.at("chosen").size());
    PreferenceTotals totals;
    Doubles dchosen, drejected;
    for (size_t i = 0; i < c.at("chosen").size(); ++i) {
      const PreferenceLoss loss = preference_loss({.chosen = c.at("chosen")[i],
                                                   .rejected = c.at("rejected")[i],
                                                   .reference_chosen = c.at("reference_chosen")[i],
                                                   .reference_rejected = c.at("reference_rejected")[i],
                                                   .chosen_tokens = c.at("chosen_tokens")[i],
                                                   .rejected_tokens = c.at("rejected_tokens")[i]},
                                                  options);
      totals.add(loss);
      dchosen.push_back(loss.dchosen / pairs), drejected.push_back(loss.drejected / pairs);
    }
    Parity parity(fmt::format("{} against {}", name_of(options.form), c.at("by").get<std::string>()));
    parity.expect("loss", {totals.loss / pairs}, {c.at("loss")});
    parity.expect("dchosen", dchosen, c.at("dchosen"));
    parity.expect("drejected", drejected, c.at("drejected"));
    if (c.at("rewards").empty()) continue;
    const Json& rewards = c.at("rewards");
    parity.expect("rewards", {totals.chosen_reward / pairs, totals.rejected_reward / pairs},
                  {rewards.at("chosen"), rewards.at("rejected")});
    // TRL takes the tie of the first pair for wrong; here it is half right.
    EXPECT_NEAR((totals.correct - 0.5) / pairs, rewards.at("accuracies").get<double>(), 1e-7);
  }
}

}  // namespace
}  // namespace fathom::testing
