#include "ops/expert_sort.h"

#include <algorithm>

#include "expert_order.h"

namespace fathom::testing {
namespace {

class ExpertSortTest : public ExpertOrderTest {};
FATHOM_OP_TEST(ExpertSortTest);

TEST_P(ExpertSortTest, SortsByExpertThenSlot) {
  const Order o = sort(3, 2, 4, {3, 0, 0, 3, 3, 2});
  const int32_t offsets[] = {0, 2, 2, 3, 6}, row_of[] = {3, 0, 1, 4, 5, 2}, token_of[] = {0, 1, 2, 0, 1, 2};
  EXPECT_TRUE(std::equal(offsets, offsets + 5, o.offsets.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(row_of, row_of + 6, o.row_of.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(token_of, token_of + 6, o.token_of.target.as<int32_t>()));
}

TEST_P(ExpertSortTest, SortsAnyShape) {
  for (int64_t N : {1, 7, 1000, 3000})
    for (int64_t K : {1, 6})
      for (int64_t E : {1, 2, 65}) {
        const Order o = sort_random(N, K, E);
        expect_close("offsets", o.offsets);
        expect_close("row_of", o.row_of);
        expect_close("token_of", o.token_of);
      }
}

TEST_P(ExpertSortTest, WhatGoesNowhereHasNoRow) {
  const Order o = sort(3, 2, 4, {3, -1, 0, -1, 3, 2});
  const int32_t offsets[] = {0, 1, 1, 2, 4}, row_of[] = {2, -1, 0, -1, 3, 1}, token_of[] = {1, 2, 0, 2, 0, 0};
  EXPECT_TRUE(std::equal(offsets, offsets + 5, o.offsets.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(row_of, row_of + 6, o.row_of.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(token_of, token_of + 6, o.token_of.target.as<int32_t>()));
  const Order none = sort(2, 1, 3, {-1, -1});
  EXPECT_EQ(used_rows(none), 0);
  for (int64_t N : {7, 1000, 3000})
    for (int64_t E : {1, 65}) {
      const Order random = sort_with_dropped(N, 6, E);
      expect_close("offsets", random.offsets);
      expect_close("row_of", random.row_of);
      expect_close("token_of", random.token_of);
      EXPECT_EQ(used_rows(random), N * 4);
    }
}

TEST_P(ExpertSortTest, NamesTheFieldThatIsWrong) {
  const Pair ids = integers({3, 2}, {0, 1, 2, 3, 4, 5}), token_of = integers({6}), offsets = integers({1});
  EXPECT_THROW(
      expert_sort(
          device_,
          {.offsets = offsets.target, .row_of = ids.target, .token_of = token_of.target, .ids = ids.target}),
      Error);
}

}  // namespace
}  // namespace fathom::testing
