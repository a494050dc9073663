#include "ops/expert_counts.h"

#include <numeric>

#include "expert_order.h"

namespace fathom::testing {
namespace {

class ExpertCountsTest : public ExpertOrderTest {};
FATHOM_OP_TEST(ExpertCountsTest);

TEST_P(ExpertCountsTest, CountsExperts) {
  for (int64_t E : {1, 5, 300}) {
    const Order o = sort_random(40, 3, E);
    const Pair counts = integers({E}, std::vector<int32_t>(static_cast<size_t>(E), 7));
    run(expert_counts,
        [&](auto pick) { return ExpertCounts{.counts = pick(counts), .offsets = pick(o.offsets)}; });
    expect_close("counts", counts);
    const int32_t* n = counts.target.as<int32_t>();
    EXPECT_EQ(std::accumulate(n, n + E, int64_t{0}), 7 * E + 120);
  }
}

TEST_P(ExpertCountsTest, NamesTheFieldThatIsWrong) {
  const Pair counts = integers({3}), offsets = integers({3}, {0, 1, 2});
  EXPECT_THROW(expert_counts(device_, {.counts = counts.target, .offsets = offsets.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
