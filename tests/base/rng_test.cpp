#include "base/rng.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

// Known answers published with Random123 (philox4x32, 10 rounds).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint64_t ones = ~uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(Rng, SeekRepeatsTheStream) {
  Rng a(7, 3);
  for (int i = 0; i < 10; ++i) a.next_u64();
  const uint64_t at = a.counter();
  const uint64_t expected = a.next_u64();
  Rng b(7, 3);
  b.seek(at);
  EXPECT_EQ(b.next_u64(), expected);
  EXPECT_NE(Rng(7, 4).next_u64(), Rng(7, 3).next_u64());
}

TEST(Rng, MomentsAreRight) {
  Rng rng(1);
  double sum = 0, squares = 0, uniform = 0;
  const int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.normal();
    sum += x, squares += x * x, uniform += rng.uniform();
    ASSERT_LT(rng.below(17), 17u);
  }
  EXPECT_NEAR(sum / n, 0, 0.02);
  EXPECT_NEAR(squares / n, 1, 0.03);
  EXPECT_NEAR(uniform / n, 0.5, 0.01);
}

}  // namespace
}  // namespace fathom
