#include "align/objectives/reward_loss.h"

#include "base/error.h"
#include "differences.h"
#include "golden.h"

namespace fathom::testing {
namespace {

TEST(RewardLoss, DerivativesMatchDifferences) {
  for (double centring : {0.0, 0.05})
    for (const RewardPair& pair : {RewardPair{.chosen = 1.5, .rejected = -0.5},
                                   {.chosen = -2, .rejected = 3, .margin = 0.7},
                                   {.chosen = 8, .rejected = -8, .margin = 1},
                                   {.chosen = 0.4, .rejected = 0.4, .tie = true},
                                   {.chosen = -1, .rejected = 2, .tie = true}}) {
      const RewardPairLoss loss = reward_pair_loss(pair, centring);
      expect_derivatives(
          {loss.dchosen, loss.drejected}, {pair.chosen, pair.rejected},
          [&](const Doubles& x) {
            RewardPair moved = pair;
            moved.chosen = x[0], moved.rejected = x[1];
            return reward_pair_loss(moved, centring).loss;
          },
          fmt::format("{} and {}", pair.chosen, pair.rejected));
    }
  for (PointForm form : {PointForm::binary, PointForm::squared})
    for (double label : {0.0, 0.3, 0.5, 1.0})
      for (double score : {-9.0, -0.1, 0.0, 4.0})
        expect_derivatives(
            {reward_point_loss(score, label, form).dscore}, {score},
            [&](const Doubles& x) { return reward_point_loss(x[0], label, form).loss; },
            fmt::format("score {}, label {}", score, label));
}

TEST(RewardLoss, ATieIsBestWhereScoresAreEqual) {
  const RewardPairLoss even = reward_pair_loss({.chosen = 2, .rejected = 2, .tie = true});
  EXPECT_NEAR(even.loss, std::log(2), 1e-15);
  EXPECT_EQ(even.dchosen, 0);
  EXPECT_EQ(even.drejected, 0);
  const RewardPairLoss apart = reward_pair_loss({.chosen = 3, .rejected = 1, .tie = true});
  EXPECT_GT(apart.loss, even.loss);
  EXPECT_GT(apart.dchosen, 0);
  EXPECT_NEAR(apart.dchosen, -apart.drejected, 1e-15);
}

TEST(RewardLoss, FarScoresStayFinite) {
  for (bool tie : {false, true}) {
    const RewardPairLoss far = reward_pair_loss({.chosen = -1e5, .rejected = 1e5, .tie = tie});
    EXPECT_NEAR(far.loss, tie ? 1e5 : 2e5, 1e-6);
    EXPECT_NEAR(far.dchosen, tie ? -0.5 : -1, 1e-15);
  }
  EXPECT_NEAR(reward_pair_loss({.chosen = 45, .rejected = 0}).loss / std::exp(-45), 1, 1e-12);
  EXPECT_NEAR(reward_point_loss(-1e6, 1, PointForm::binary).loss, 1e6, 1e-6);
  EXPECT_EQ(reward_point_loss(1e6, 1, PointForm::binary).loss, 0);
  EXPECT_NEAR(reward_point_loss(45, 1, PointForm::binary).loss / std::exp(-45), 1, 1e-12);
}

TEST(RewardLoss, TiesAreNeitherRightNorWrong) {
  Agreement pairs, points, both;
  pairs.add(reward_pair_loss({.chosen = 1, .rejected = 0, .margin = 5}).correct);  // right, if not by enough
  pairs.add(reward_pair_loss({.chosen = 0, .rejected = 1}).correct);
  pairs.add(reward_pair_loss({.chosen = 2, .rejected = 2}).correct);  // the model has no opinion
  pairs.add(
      reward_pair_loss({.chosen = 9, .rejected = 1, .tie = true}).correct);  // nothing to be right about
  EXPECT_EQ(pairs.judged, 3);
  EXPECT_EQ(pairs.share(), 0.5);
  for (const auto& [score, label] : {std::pair(2.0, 1.0), {2.0, 0.0}, {-1.0, 0.2}, {0.0, 1.0}, {3.0, 0.5}})
    points.add(reward_point_loss(score, label, PointForm::binary).correct);
  points.add(reward_point_loss(1, 1, PointForm::squared).correct);
  EXPECT_EQ(points.judged, 4);
  EXPECT_EQ(points.correct, 2.5);
  both.add(pairs), both.add(points);
  EXPECT_EQ(both.judged, 7);
  EXPECT_EQ(both.correct, 4);
  EXPECT_EQ(Agreement{}.share(), 0);
}

TEST(RewardLoss, WrongLabelsAreErrors) {
  EXPECT_THROW(reward_pair_loss({.chosen = 1, .rejected = 0, .margin = 1, .tie = true}), Error);
  for (double label : {-0.1, 1.1, double(NAN)})
    EXPECT_THROW(reward_point_loss(0, label, PointForm::binary), Error);
  EXPECT_NO_THROW(reward_point_loss(0, -7, PointForm::squared));
}

void compare_pairs(const Json& c, Parity& parity) {
  const size_t pairs = c.at("chosen").size();
  double loss = 0;
  Doubles dchosen, drejected;
  Agreement agreement;
  for (size_t i = 0; i < pairs; ++i) {
    const RewardPairLoss one = reward_pair_loss({.chosen = c.at("chosen")[i],
                                                 .rejected = c.at("rejected")[i],
                                                 .margin = c.at("margin")[i],
                                                 .tie = c.at("tie")},
                                                c.at("centring"));
    const auto share = 1 / static_cast<double>(pairs);
    loss += share * one.loss;
    dchosen.push_back(share * one.dchosen), drejected.push_back(share * one.drejected);
    agreement.add(one.correct);
  }
  parity.expect("loss", {loss}, {c.at("loss")});
  parity.expect("dchosen", dchosen, c.at("dchosen"));
  parity.expect("drejected", drejected, c.at("drejected"));
  if (c.contains("accuracy")) {
    EXPECT_NEAR(agreement.share(), c.at("accuracy").get<double>(), 1e-7);
  }
}

void compare_points(const Json& c, Parity& parity) {
  const PointForm form = c.at("form") == "binary" ? PointForm::binary : PointForm::squared;
  const size_t points = c.at("scores").size();
  double loss = 0;
  Doubles dscores;
  for (size_t i = 0; i < points; ++i) {
    const RewardPointLoss one = reward_point_loss(c.at("scores")[i], c.at("labels")[i], form);
    loss += one.loss / static_cast<double>(points);
    dscores.push_back(one.dscore / static_cast<double>(points));
  }
  parity.expect("loss", {loss}, {c.at("loss")});
  parity.expect("dscores", dscores, c.at("dscores"));
}

TEST(RewardLoss, AsTrlAndTorchHaveIt) {
  for (const Json& c : golden_cases("reward")) {
    const bool pairs = c.at("form") == "pairs";
    Parity parity(fmt::format("{}{} against {}", pairs ? "reward pairs" : "reward points",
                              pairs ? fmt::format(", centring {}", c.at("centring").get<double>()) : "",
                              c.at("by").get<std::string>()));
    if (pairs)
      compare_pairs(c, parity);
    else
      compare_points(c, parity);
  }
}

}  // namespace
}  // namespace fathom::testing
