#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/rng.h"
#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class AllReduceTest : public Ranks {
 protected:
  template <class T>
  void sums_and_finds_the_largest() {
    for (const int64_t n : {0, 1, 2, 3, 7, 64, 1001}) {
      const Tensor sum = make<T>({n}, [&](int64_t i) { return held(rank(), i); });
      const Tensor max = make<T>({n}, [&](int64_t i) { return held(rank(), i); });
      comm().run(AllReduce{.x = sum});
      comm().run(AllReduce{.x = max, .reduction = Reduction::max});
      EXPECT_EQ(read<T>(sum), expected(n, [&](int64_t i) {
                  double total = 0;
                  for (int r = 0; r < size(); ++r) total += held(r, i);
                  return total;
                }));
      EXPECT_EQ(read<T>(max), expected(n, [&](int64_t i) {
                  double best = held(0, i);
                  for (int r = 1; r < size(); ++r) best = std::max(best, held(r, i));
                  return best;
                }));
    }
  }
};

TEST_P(AllReduceTest, OfF32) {
  sums_and_finds_the_largest<float>();
}
TEST_P(AllReduceTest, OfF64) {
  sums_and_finds_the_largest<double>();
}
TEST_P(AllReduceTest, OfI32) {
  sums_and_finds_the_largest<int32_t>();
}
TEST_P(AllReduceTest, OfI64) {
  sums_and_finds_the_largest<int64_t>();
}

TEST_P(AllReduceTest, OfManyRowsAtOnce) {
  const Tensor x = make<float>({5, 2, 3}, [&](int64_t i) { return held(rank(), i); });
  comm().run(AllReduce{.x = x});
  EXPECT_EQ(read<float>(x), expected(30, [&](int64_t i) {
              double total = 0;
              for (int r = 0; r < size(); ++r) total += held(r, i);
              return total;
            }));
}

// Wide magnitudes, so that another order of the sum has other bits.
double wide(int rank, int64_t i) {
  Rng rng(5, static_cast<uint64_t>(rank));
  rng.seek(static_cast<uint64_t>(i));
  return rng.normal() * std::pow(10.0, static_cast<double>(i % 7));
}

TEST_P(AllReduceTest, AddsInTheOrderOfTheRanks) {
  if (!on_host()) GTEST_SKIP() << "is promised in host memory only: ctest --preset cpu -R comm runs it there";
  constexpr int64_t n = 517;
  const Tensor f32 = make<float>({n}, [&](int64_t i) { return wide(rank(), i); });
  const Tensor rounded = make<bf16>({n}, [&](int64_t i) { return wide(rank(), i); });
  comm().run(AllReduce{.x = f32});
  comm().run(AllReduce{.x = rounded});
  for (int64_t i = 0; i < n; ++i) {
    float sum = static_cast<float>(wide(0, i)), wide_sum = static_cast<float>(number<bf16>(wide(0, i)));
    for (int r = 1; r < size(); ++r) {
      sum += static_cast<float>(wide(r, i));
      wide_sum += static_cast<float>(number<bf16>(wide(r, i)));
    }
    ASSERT_EQ(f32.as<float>()[i], sum) << i;
    ASSERT_EQ(rounded.as<bf16>()[i].bits, bf16(wide_sum).bits) << i;
  }
}

TEST_P(AllReduceTest, RepeatsItsBitsAndGivesThemToAll) {
  constexpr int64_t n = 300;
  const auto once = [&] {
    const Tensor x = make<float>({n}, [&](int64_t i) { return wide(rank(), i); });
    comm().run(AllReduce{.x = x});
    return read<float>(x);
  };
  const std::vector<double> first = once();
  EXPECT_EQ(once(), first);
  const Tensor mine = make<double>({1, n}, [&](int64_t i) { return first[i]; });
  const Tensor all = filled<double>({size(), n}, 0);
  comm().run(AllGather{.out = all, .in = mine});
  const std::vector<double> everyone = read<double>(all);
  for (int64_t i = 0; i < size() * n; ++i) ASSERT_EQ(everyone[i], first[i % n]) << i;
}

// The bits of an element do not depend on its place and on what is reduced with it.
TEST_P(AllReduceTest, OfAPartHasTheBitsOfTheWhole) {
  if (!on_host()) GTEST_SKIP() << "is promised in host memory only: ctest --preset cpu -R comm runs it there";
  constexpr int64_t n = 301, begin = 101, width = 57;
  const Tensor whole = make<float>({n}, [&](int64_t i) { return wide(rank(), i); });
  const Tensor part = make<float>({width}, [&](int64_t i) { return wide(rank(), begin + i); });
  comm().run(AllReduce{.x = whole});
  comm().run(AllReduce{.x = part});
  EXPECT_EQ(read<float>(part), read<float>(whole.slice(begin, width)));
}

TEST_P(AllReduceTest, ANumberThatIsNoneWins) {
  if (!on_host()) GTEST_SKIP() << "is promised in host memory only: ctest --preset cpu -R comm runs it there";
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (int where = 0; where < size(); ++where) {
    const Tensor x = filled<float>({3}, rank() == where ? nan : rank());
    comm().run(AllReduce{.x = x, .reduction = Reduction::max});
    if (size() > 1) {
      for (double v : read<float>(x)) EXPECT_TRUE(std::isnan(v)) << where;
    }
  }
}

TEST_P(AllReduceTest, CudaRefusesSumsThatItWouldRoundAtEachStep) {
  if (on_host()) GTEST_SKIP() << "is about NCCL: tools/gpu_check.sh runs it on a GPU";
  const Tensor x = filled<bf16>({3}, 1);
  EXPECT_THROW(comm().run(AllReduce{.x = x}), Error);
  comm().run(AllReduce{.x = x, .reduction = Reduction::max});
}

// Totals are reduced on the host, whatever the device.
TEST_P(AllReduceTest, OnTheHostOfTheSameRanks) {
  int64_t total = rank() + 1;
  comm().host().run(AllReduce{.x = Tensor(&total, DType::i64, {1})});
  EXPECT_EQ(total, size() * (size() + 1) / 2);
}

FATHOM_ON_ALL_MEMORIES(AllReduceTest);

}  // namespace
}  // namespace fathom::testing
