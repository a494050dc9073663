// Reduce-scatter, all-gather and broadcast.
#include <numeric>

#include "comm/ranks.h"

namespace fathom::testing {
namespace {

class SharesTest : public Ranks {
 protected:
  // Row counts: as many everywhere, uneven, and rank 0 or all but one without rows.
  std::vector<std::vector<int64_t>> counts() const {
    std::vector<int64_t> equal(size(), 3), uneven(size()), none_first(size(), 2), one(size(), 0),
        nothing(size(), 0);
    for (int r = 0; r < size(); ++r) uneven[r] = 5 * r % 4 + 1;
    none_first[0] = 0, one[size() - 1] = 9;
    return {equal, uneven, none_first, one, nothing};
  }
  static int64_t total(const std::vector<int64_t>& rows) {
    return std::accumulate(rows.begin(), rows.end(), int64_t{0});
  }
  int64_t first_row(const std::vector<int64_t>& rows) const {
    return std::accumulate(rows.begin(), rows.begin() + rank(), int64_t{0});
  }
  double sum_of_held(int64_t i) const {
    double sum = 0;
    for (int r = 0; r < size(); ++r) sum += held(r, i);
    return sum;
  }
};

constexpr int64_t cols = 5;

TEST_P(SharesTest, ReduceScatter) {
  for (const auto& rows : counts()) {
    const int64_t first = first_row(rows) * cols, n = rows[rank()];
    const Tensor in = make<float>({total(rows), cols}, [&](int64_t i) { return held(rank(), i); });
    const Tensor out = filled<float>({n, cols}, -99);
    comm().run(ReduceScatter{.out = out, .in = in, .rows = rows});
    const auto want = expected(n * cols, [&](int64_t i) { return sum_of_held(first + i); });
    EXPECT_EQ(read<float>(out), want);
    EXPECT_EQ(read<float>(in), expected(in.count(), [&](int64_t i) { return held(rank(), i); }));
    const Tensor part = in.slice(first_row(rows), n);
    comm().run(ReduceScatter{.out = part, .in = in, .rows = rows});
    EXPECT_EQ(read<float>(part), want) << "in place";
  }
}

TEST_P(SharesTest, ReduceScatterWithoutCounts) {
  const Tensor in = make<int32_t>({4 * size()}, [&](int64_t i) { return held(rank(), i); });
  const Tensor out = filled<int32_t>({4}, -99);
  comm().run(ReduceScatter{.out = out, .in = in, .reduction = Reduction::max});
  EXPECT_EQ(read<int32_t>(out), expected(4, [&](int64_t i) {
              double best = -99;
              for (int r = 0; r < size(); ++r) best = std::max(best, held(r, 4 * rank() + i));
              return best;
            }));
}

TEST_P(SharesTest, AllGather) {
  for (const auto& rows : counts()) {
    const int64_t first = first_row(rows) * cols, n = rows[rank()];
    const auto whole = [](int64_t i) { return held(0, i); };
    const Tensor in = make<bf16>({n, cols}, [&](int64_t i) { return whole(first + i); });
    const Tensor out = filled<bf16>({total(rows), cols}, -99);
    comm().run(AllGather{.out = out, .in = in, .rows = rows});
    const auto want = expected(total(rows) * cols, whole);
    EXPECT_EQ(read<bf16>(out), want);
    const Tensor in_place = make<bf16>(
        {total(rows), cols}, [&](int64_t i) { return i >= first && i < first + n * cols ? whole(i) : -99; });
    comm().run(AllGather{.out = in_place, .in = in_place.slice(first_row(rows), n), .rows = rows});
    EXPECT_EQ(read<bf16>(in_place), want) << "in place";
  }
}

TEST_P(SharesTest, AllGatherWithoutCounts) {
  const Tensor in = make<int64_t>({2}, [&](int64_t i) { return held(rank(), i); });
  const Tensor out = filled<int64_t>({size(), 2}, -99);
  comm().run(AllGather{.out = out.reshape({2 * size()}), .in = in});
  EXPECT_EQ(read<int64_t>(out),
            expected(2 * size(), [&](int64_t i) { return held(static_cast<int>(i / 2), i % 2); }));
}

TEST_P(SharesTest, Broadcast) {
  for (int root = 0; root < size(); ++root)
    for (const int64_t n : {0, 1, 99}) {
      const Tensor x = make<bf16>({n}, [&](int64_t i) { return held(rank(), i); });
      comm().run(Broadcast{.x = x, .root = root});
      EXPECT_EQ(read<bf16>(x), expected(n, [&](int64_t i) { return held(root, i); }));
    }
}

FATHOM_ON_ALL_MEMORIES(SharesTest);

}  // namespace
}  // namespace fathom::testing
