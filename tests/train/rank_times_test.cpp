// How the spans of a profile become times, on spans made by hand.
#include "train/rank_times.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr double rounding = 1e-12;

void expect_times(const ExchangeTimes& t, double waited, double beside) {
  EXPECT_NEAR(t.waited, waited, rounding);
  EXPECT_NEAR(t.beside, beside, rounding);
}

TEST(RankTimes, WhatTravelsWhileTheRankWorksIsBeside) {
  const std::vector<Profile::Call> calls = {{"linear", 0, 4, 0, 0}, {"linear", 6, 1, 0, 0}};
  const std::vector<Profile::Wait> waits = {{"reduce-scatter", 4, 2}};
  const std::vector<Profile::Transfer> transfers = {{"reduce-scatter", 1, 5, 100}};
  const RankTimes t = rank_times(10, calls, waits, transfers);
  EXPECT_EQ(t.step, 10);
  EXPECT_EQ(t.computing, 5);
  expect_times(t.of(ExchangeKind::gradients), 2, 3);
  expect_times(t.all, 2, 3);
  EXPECT_EQ(t.bubble(), 0);
}

TEST(RankTimes, WhatTravelsAtTheSameTimeCountsOnce) {
  const std::vector<Profile::Wait> waits = {{"all-gather", 3, 1}};
  const std::vector<Profile::Transfer> transfers = {
      {"all-gather", 0, 4, 1}, {"all-gather", 1, 2, 1}, {"all-to-all", 2, 4, 1}, {"all-to-all", 8, 1, 1}};
  const RankTimes t = rank_times(10, {}, waits, transfers);
  expect_times(t.of(ExchangeKind::weights), 1, 3);
  // While the rank waits for weights, tokens do not travel beside its work.
  expect_times(t.of(ExchangeKind::experts), 0, 4);
  expect_times(t.all, 1, 6);
}

TEST(RankTimes, OnlyTheStepCounts) {
  const std::vector<Profile::Transfer> transfers = {{"all-gather", -3, 5, 1}, {"all-gather", 9, 4, 1}};
  expect_times(rank_times(10, {}, {}, transfers).of(ExchangeKind::weights), 0, 3);
}

TEST(RankTimes, TheBubbleIsTheWaitForNeighbours) {
  const std::vector<Profile::Wait> waits = {
      {"receive", 1, 2}, {"send", 4, 0.5}, {"exchange", 5, 0.5}, {"all-reduce", 6, 1}};
  const RankTimes t = rank_times(10, {}, waits, {});
  EXPECT_NEAR(t.bubble(), 0.3, rounding);
  expect_times(t.of(ExchangeKind::agreement), 1, 0);
  expect_times(t.all, 4, 0);
}

TEST(RankTimes, AWaitOverTheBordersOfTransfersIsCutOutOfEach) {
  const std::vector<Profile::Wait> waits = {{"all-reduce", 1, 4}, {"broadcast", 7, 1}};
  const std::vector<Profile::Transfer> transfers = {
      {"all-to-all", 0, 2, 1}, {"all-to-all", 3, 1, 1}, {"all-to-all", 4.5, 4.5, 1}};
  expect_times(rank_times(10, {}, waits, transfers).of(ExchangeKind::experts), 0, 1 + 2 + 1);
}

}  // namespace
}  // namespace fathom
