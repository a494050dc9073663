#include "ops/scale.h"

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class ScaleTest : public OpTest {};
FATHOM_OP_TEST(ScaleTest);

TEST_P(ScaleTest, MultipliesEveryElement) {
  for (int64_t n : {1, 4, 3333}) {
    const Pair x = random_stat({n});
    run(scale, [&](auto pick) { return Scale{.x = pick(x), .factor = 0.3}; });
    expect_close("x", x);
    const Pair narrow = random({n});
    run(scale, [&](auto pick) { return Scale{.x = pick(narrow), .factor = 0.3}; });
    expect_close("x, of the activations' type", narrow);
  }
}

TEST_P(ScaleTest, NamesTheFieldThatIsWrong) {
  const Pair x = random_stat({3, 7});
  EXPECT_THROW(scale(device_, {.x = columns(x, 0, 5).target}), Error);
}

}  // namespace
}  // namespace fathom::testing
