// What is done about steps that are not like those before.
#include "train/anomaly_reaction.h"

#include <gmock/gmock.h>

#include <string>

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// The reactions to steps 1, 2, ...: 's' is a spike, 'n' a number that is not finite.
std::string reactions(const Recipe::Anomalies& recipe, const std::string& steps, AnomalyHistory& history,
                      int64_t rollbacks = 0) {
  std::string answers;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Anomaly anomaly = steps[i] == 's'   ? Anomaly::loss_spike
                            : steps[i] == 'n' ? Anomaly::norm_not_finite
                                              : Anomaly::none;
    const Reaction reaction = react(recipe, anomaly, static_cast<int64_t>(i) + 1, rollbacks, history);
    answers += reaction == Reaction::train  ? '.'
               : reaction == Reaction::skip ? '-'
               : reaction == Reaction::end  ? 'E'
                                            : 'R';
  }
  return answers;
}
std::string reactions(const Recipe::Anomalies& recipe, const std::string& steps, int64_t rollbacks = 0) {
  AnomalyHistory history;
  return reactions(recipe, steps, history, rollbacks);
}

TEST(AnomalyReaction, WithoutAnOptionOnlyWhatIsNotFiniteEndsTheRun) {
  EXPECT_EQ(reactions({}, "..s.sssss.n"), "..........E");
}

TEST(AnomalyReaction, SkippedStepsInARowAreCounted) {
  const Recipe::Anomalies skip = {.skip = true, .most_skipped = 2};
  AnomalyHistory history;
  EXPECT_EQ(reactions(skip, ".sn.ns.sss", history), ".--.--.--E");
  EXPECT_EQ(history.skipped, 7);
  EXPECT_EQ(history.in_a_row, 3);
}

TEST(AnomalyReaction, AsManyAsRollBackNeedNotBeInARow) {
  const Recipe::Anomalies recipe = {.window = 5, .rollback = 3};
  EXPECT_EQ(reactions(recipe, "s.s...s.s"), ".........") << "the first is more than five steps ago";
  AnomalyHistory history;
  EXPECT_EQ(reactions(recipe, "s....s.s.s", history), ".........R");
  EXPECT_THAT(history.flagged, ElementsAre(6, 8, 10));
  EXPECT_EQ(reactions({.skip = true, .window = 5, .rollback = 3}, "s..s.s"), "-..-.-") << "one to five";
  EXPECT_EQ(reactions({.skip = true, .window = 5, .rollback = 3}, "s.n.s"), "-.-.R");
}

TEST(AnomalyReaction, WhatIsNotFiniteRollsBackAtOnceUnlessItIsSkipped) {
  EXPECT_EQ(reactions({.rollback = 3}, "s.n"), "..R");
  EXPECT_EQ(reactions({.skip = true, .rollback = 3}, "s.n"), "-.-");
}

TEST(AnomalyReaction, TooManySkippedInARowRollBack) {
  EXPECT_EQ(reactions({.skip = true, .most_skipped = 1, .rollback = 10}, "s.ss"), "-.-R");
}

TEST(AnomalyReaction, RollBacksAreBounded) {
  const Recipe::Anomalies recipe = {.rollback = 2, .most_rollbacks = 3};
  EXPECT_EQ(reactions(recipe, "ss", 2), ".R");
  EXPECT_EQ(reactions(recipe, "ss", 3), ".E");
  EXPECT_EQ(reactions({.rollback = 2, .most_rollbacks = 0}, "ss"), ".E");
}

TEST(AnomalyReaction, SaysWhy) {
  const AnomalyHistory three = {.in_a_row = 3, .flagged = {4, 5, 7}};
  EXPECT_EQ(reason_text({.rollback = 3}, Anomaly::loss_spike, 1, three),
            "the loss is far above those before; 3 of the last 64 steps were flagged, anomaly.rollback = 3");
  EXPECT_EQ(reason_text({.skip = true, .most_skipped = 2}, Anomaly::norm_spike, 0, three),
            "the gradient norm is far above those before; 3 steps in a row would be skipped, more than "
            "anomaly.most_skipped = 2");
  EXPECT_EQ(reason_text({}, Anomaly::loss_not_finite, 0, {}), "the loss is not finite");
  EXPECT_THAT(reason_text({.rollback = 3}, Anomaly::loss_spike, 3, three),
              HasSubstr("; the run was rolled back 3 times, all that anomaly.most_rollbacks = 3 allows"));
}

}  // namespace
}  // namespace fathom
