#include "base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

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

// With the C library's log and cos, which a seed's numbers were first made with: in f64 within a few ulp of
// the largest intermediate value, in f32 the same number but for one in ten million.
TEST(Rng, NormalAgreesWithTheCLibrary) {
  const auto with_libm = [](uint32_t w0, uint32_t w1) {
    const double u = (w0 + 0.5) * 0x1p-32, v = w1 * 0x1p-32;
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  };
  int different = 0;
  for (uint64_t i = 0; i < 2000000; ++i) {
    const auto r = philox(9, i, 2);
    const double x = normal_from(r[0], r[1]), y = with_libm(r[0], r[1]);
    ASSERT_NEAR(x, y, 8e-15) << r[0] << ", " << r[1];
    different += static_cast<float>(x) != static_cast<float>(y);
  }
  EXPECT_LE(different, 1);
  // Edges: u next to 0 and 1, v at and next to the zeros and extremes of the cosine.
  for (uint32_t w0 : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xb504f333u, 0xfffffffeu, 0xffffffffu})
    for (uint32_t quarter :
         {0u, 0x20000000u, 0x40000000u, 0x60000000u, 0x80000000u, 0xa0000000u, 0xc0000000u, 0xe0000000u})
      for (uint32_t w1 : {quarter - 1, quarter, quarter + 1})
        ASSERT_NEAR(normal_from(w0, w1), with_libm(w0, w1), 8e-15) << w0 << ", " << w1;
}

// The first numbers of a stream, fixed for all time so that a seed keeps its meaning.
TEST(Rng, NormalKnownAnswers) {
  Rng rng(5, 7);
  for (float expected : {-0.345267057f, -1.34053767f, -0.780696213f, 0.373740405f, 1.42029583f, -0.298660964f,
                         -1.31356287f, 0.507618487f})
    EXPECT_EQ(static_cast<float>(rng.normal()), expected);
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
