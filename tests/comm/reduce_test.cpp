// The arithmetic of reductions, with as many parts and elements as no test launches.
#include "comm/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/rng.h"

namespace fathom::testing {
namespace {

TEST(ReduceInOrder, DoesNotDependOnThreads) {
  constexpr int64_t n = 70'001;
  Rng rng(1);
  std::vector<std::vector<float>> parts(5, std::vector<float>(n));
  std::vector<const void*> places;
  for (auto& part : parts) {
    for (float& v : part) v = static_cast<float>(rng.normal());
    places.push_back(part.data());
  }
  std::vector<float> want(n), got(n);
  for (int64_t i = 0; i < n; ++i) {
    want[i] = parts[0][i];
    for (size_t r = 1; r < parts.size(); ++r) want[i] += parts[r][i];
  }
  for (const int threads : {1, 2, 3}) {
    reduce_in_order(DType::f32, Reduction::sum, got.data(), places, n, threads);
    EXPECT_EQ(got, want);
  }
  reduce_in_order(DType::f32, Reduction::sum, parts[2].data(), places, n, 2);
  EXPECT_EQ(parts[2], want) << "in place";
}

TEST(ReduceInOrder, WholeNumbersWrapAround) {
  const std::vector<int64_t> a{std::numeric_limits<int64_t>::max(), -5}, b{1, 7};
  const std::vector<const void*> parts{a.data(), b.data()};
  std::vector<int64_t> out(2);
  reduce_in_order(DType::i64, Reduction::sum, out.data(), parts, 2, 1);
  EXPECT_EQ(out, (std::vector<int64_t>{std::numeric_limits<int64_t>::min(), 2}));
  reduce_in_order(DType::i64, Reduction::max, out.data(), parts, 2, 1);
  EXPECT_EQ(out, (std::vector<int64_t>{std::numeric_limits<int64_t>::max(), 7}));
}

// 256 + 1 + 1: each step would round back to 256 in bf16.
TEST(ReduceInOrder, Bf16IsRoundedOnce) {
  const bf16 a(256.0f), b(1.0f);
  const std::vector<const void*> parts{&a, &b, &b};
  bf16 out(0.0f);
  reduce_in_order(DType::bf16, Reduction::sum, &out, parts, 1, 1);
  EXPECT_EQ(static_cast<float>(out), 258.0f);
}

}  // namespace
}  // namespace fathom::testing
