#include "ops/residual_add.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class ResidualAddTest : public OpTest {};
FATHOM_OP_TEST(ResidualAddTest);

TEST_P(ResidualAddTest, AddsRows) {
  for (int64_t C : {1, 8, 45}) {
    const Pair stream = random({5, C}), wide = random({5, C + 3}), x = columns(wide, 2, C);
    run(residual_add, [&](auto pick) { return ResidualAdd{.stream = pick(stream), .x = pick(x)}; });
    expect_close("stream", stream);
  }
}

TEST_P(ResidualAddTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({3, 7}), stream = random({3, 8});
  EXPECT_THROW(residual_add(device_, {.stream = stream.target, .x = x.target}), Error);
}

}  // namespace
}  // namespace fathom::testing
