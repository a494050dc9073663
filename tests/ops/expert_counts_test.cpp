#include "ops/expert_counts.h"

#include <numeric>
#include <set>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class ExpertCountsTest : public OpTest {};
FATHOM_OP_TEST(ExpertCountsTest);

TEST_P(ExpertCountsTest, CountsChoicesAndTokensSent) {
  const int64_t K = 3;
  for (const auto& [N, E, D] : {std::tuple{40, 1, 1}, {40, 6, 3}, {40, 6, 6}, {3000, 300, 10}, {0, 6, 2}}) {
    std::vector<int32_t> chosen;
    for (int64_t i = 0; i < N * K; ++i)
      chosen.push_back(static_cast<int32_t>(rng_.below(static_cast<uint64_t>(E))));
    std::vector<int32_t> want(D, 5);
    for (int64_t n = 0; n < N; ++n) {
      std::set<int32_t> groups;
      for (int64_t k = 0; k < K; ++k) groups.insert(chosen[n * K + k] / (E / D));
      for (const int32_t d : groups) ++want[d];
    }
    const Pair ids = integers({N, K}, chosen), counts = integers({E}, std::vector<int32_t>(E, 7)),
               sent = integers({D}, std::vector<int32_t>(D, 5));
    run(expert_counts, [&](auto pick) {
      return ExpertCounts{.counts = pick(counts), .sent = pick(sent), .ids = pick(ids)};
    });
    expect_close("counts", counts);
    const int32_t* n = counts.target.as<int32_t>();
    EXPECT_EQ(std::accumulate(n, n + E, int64_t{0}), 7 * E + N * K);
    for (int64_t d = 0; d < D; ++d) EXPECT_EQ(sent.target.as<int32_t>()[d], want[d]) << d;
  }
}

TEST_P(ExpertCountsTest, NamesTheFieldThatIsWrong) {
  const Pair counts = integers({3}), one = integers({1}), two = integers({2}), ids = integers({1, 1}, {0});
  EXPECT_THROW(expert_counts(device_, {.counts = counts.target, .sent = two.target, .ids = ids.target}),
               Error);
  EXPECT_THROW(expert_counts(device_, {.counts = counts.target, .sent = one.target, .ids = one.target}),
               Error);
}

}  // namespace
}  // namespace fathom::testing
