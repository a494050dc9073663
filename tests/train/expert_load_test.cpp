#include "train/expert_load.h"

#include <gmock/gmock.h>

namespace fathom {
namespace {

using ::testing::ElementsAre;

// A dense layer and two MoE layers of six experts in three groups.
ExpertLoad example() {
  return {.moe_layers = {1, 2},
          .E = 6,
          .D = 3,
          .experts = {0, 0, 0, 0, 0, 0, 4, 4, 4, 4, 4, 4, 9, 3, 0, 0, 12, 0},
          .sent = {0, 0, 0, 8, 8, 8, 10, 0, 6},
          .dropped = {0, 6, 0}};
}

TEST(ExpertLoad, OfLayers) {
  const ExpertLoad load = example();
  EXPECT_THAT(load.experts_of(2), ElementsAre(9, 3, 0, 0, 12, 0));
  EXPECT_THAT(load.groups_of(2), ElementsAre(12, 0, 12));
  EXPECT_THAT(load.sent_of(2), ElementsAre(10, 0, 6));
  EXPECT_EQ(load.expert_load(1), 1);
  EXPECT_EQ(load.expert_load(2), 3);    // 12 of a mean of 4
  EXPECT_EQ(load.group_load(2), 1.5);   // 12 of a mean of 8
  EXPECT_EQ(load.sent_load(2), 1.875);  // 10 of a mean of 16/3
  EXPECT_EQ(load.dropped_share(1), 0.25);
  EXPECT_EQ(load.dropped_share(2), 0);
}

TEST(ExpertLoad, OfTheWorstLayerAndOfAll) {
  ExpertLoad load = example();
  EXPECT_EQ(load.expert_load(), 3);
  EXPECT_EQ(load.group_load(), 1.5);
  EXPECT_EQ(load.dropped_share(), 0.125);
  load.dropped.clear();
  EXPECT_EQ(load.dropped_share(), 0);
  EXPECT_EQ(load.dropped_share(1), 0);
}

TEST(ExpertLoad, OfADenseModelIsNothing) {
  const ExpertLoad dense = {.D = 1, .sent = {0, 0}};
  EXPECT_EQ(dense.expert_load(), 0);
  EXPECT_EQ(dense.group_load(), 0);
  EXPECT_EQ(dense.dropped_share(), 0);
}

// More choices of a group than 32 bits hold.
TEST(ExpertLoad, OfManyTokens) {
  const ExpertLoad load = {.moe_layers = {0},
                           .E = 4,
                           .D = 2,
                           .experts = {2'000'000'000, 2'000'000'000, 0, 1'000'000'000},
                           .sent = {2'000'000'000, 1'000'000'000}};
  EXPECT_THAT(load.groups_of(0), ElementsAre(4'000'000'000, 1'000'000'000));
  EXPECT_EQ(load.group_load(), 1.6);
}

}  // namespace
}  // namespace fathom
