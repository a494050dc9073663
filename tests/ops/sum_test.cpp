#include "ops/sum.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class SumTest : public OpTest {};
FATHOM_OP_TEST(SumTest);

TEST_P(SumTest, AddsUpInDoublePrecision) {
  for (int64_t n : {1, 15, 1000, 200003}) {
    const Pair x = random_stat({n}), total = filled({1}, DType::f64, [](int64_t) { return 0.25; });
    run(sum, [&](auto pick) { return Sum{.sum = pick(total), .x = pick(x)}; });
    expect_close("sum", total, 10);  // of terms that cancel
  }
}

TEST_P(SumTest, NamesTheFieldThatIsWrong) {
  const Pair x = random_stat({3, 7});
  EXPECT_THROW(sum(device_, {.sum = x.target, .x = x.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
