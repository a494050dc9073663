#include "ops/elementwise.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class ElementwiseTest : public OpTest {};
FATHOM_OP_TEST(ElementwiseTest);

TEST_P(ElementwiseTest, ResidualAdd) {
  for (int64_t C : {1, 8, 45}) {
    const Pair stream = random({5, C}), wide = random({5, C + 3}), x = columns(wide, 2, C);
    run(residual_add, [&](auto pick) { return ResidualAdd{.stream = pick(stream), .x = pick(x)}; });
    expect_close("stream", stream);
  }
}

TEST_P(ElementwiseTest, SumSquares) {
  for (int64_t n : {1, 15, 1000, 200003}) {
    const Pair x = random_stat({n});
    double want = 0, got = NAN;
    Device reference = Device::reference();
    sum_squares(reference, {.sum = &want, .x = x.ref});
    sum_squares(device_, {.sum = &got, .x = x.target});
    EXPECT_NEAR(got, want, 1e-12 * want);
    if (GetParam().backend != Backend::cpu) continue;
    Device single = Device::cpu(1);
    sum_squares(single, {.sum = &want, .x = x.target});
    EXPECT_EQ(got, want) << "depends on the number of threads";
  }
}

TEST_P(ElementwiseTest, Scale) {
  const Pair x = random_stat({3, 1111});
  run(scale, [&](auto pick) { return Scale{.x = pick(x), .factor = 0.3}; });
  expect_close("x", x);
}

TEST_P(ElementwiseTest, NamesTheFieldThatIsWrong) {
  const Pair x = random_stat({3, 7}), stream = random({3, 8}), part = columns(x, 0, 5);
  double sum = 0;
  EXPECT_THROW(sum_squares(device_, {.sum = &sum, .x = part.target}), Error);
  EXPECT_THROW(sum_squares(device_, {.sum = nullptr, .x = x.target}), Error);
  EXPECT_THROW(sum_squares(device_, {.sum = &sum, .x = {}}), Error);
  EXPECT_THROW(scale(device_, {.x = part.target}), Error);
  EXPECT_THROW(residual_add(device_, {.stream = stream.target, .x = x.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
