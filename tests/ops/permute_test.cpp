#include "ops/permute.h"

#include "expert_order.h"

namespace fathom::testing {
namespace {

class PermuteTest : public ExpertOrderTest {
 protected:
  // There and back; what rows that are nobody's hold does not come back.
  void expect_right(const Order& o, int64_t N, int64_t K, int64_t C) {
    const Pair x = random({N, C}), out = output({N * K, C}), dout = random({N * K, C}), dx = output({N, C});
    poison(dout, used_rows(o));
    run(permute,
        [&](auto pick) { return Permute{.out = pick(out), .x = pick(x), .token_of = pick(o.token_of)}; });
    expect_close("out", out);
    run(permute_backward, [&](auto pick) {
      return PermuteBackward{.dx = pick(dx), .dout = pick(dout), .row_of = pick(o.row_of)};
    });
    expect_close("dx", dx);
  }
};
FATHOM_OP_TEST(PermuteTest);

TEST_P(PermuteTest, MovesRowsAndBack) {
  for (int64_t K : {1, 3, 6})
    for (int64_t C : {1, 8, 45}) expect_right(sort_random(11, K, 5), 11, K, C);
}

TEST_P(PermuteTest, NothingComesBackFromNowhere) {
  for (int64_t C : {8, 45}) expect_right(sort_with_dropped(11, 3, 5), 11, 3, C);
}

TEST_P(PermuteTest, OfNothing) {
  expect_right(sort(0, 3, 5, {}), 0, 3, 8);
}

TEST_P(PermuteTest, GradientsMatchDifferences) {
  const int64_t N = 4, K = 2, M = N * K, C = 3;
  const Order o = sort_random(N, K, 3);
  const Pair x = random({N, C}), moved = output({M, C}), dmoved = random({M, C}), dx = output({N, C});
  Device reference = Device::reference();
  permute_backward(reference, {.dx = dx.ref, .dout = dmoved.ref, .row_of = o.row_of.ref});
  expect_gradient("dx", x.ref, dx.ref, moved.ref, dmoved.ref,
                  [&](Device& d) { permute(d, {.out = moved.ref, .x = x.ref, .token_of = o.token_of.ref}); });
}

TEST_P(PermuteTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({3, 4}), rows = random({5, 4}), row_of = integers({3, 2}, {0, 1, 2, 3, 4, 5});
  const Pair token_of = integers({6});
  EXPECT_THROW(permute(device_, {.out = rows.target, .x = x.target, .token_of = token_of.target}), Error);
  if (!device_.on_host()) return;  // a GPU trusts tables that the host cannot read
  EXPECT_THROW(permute_backward(device_, {.dx = x.target, .dout = rows.target, .row_of = row_of.target}),
               Error);
}

}  // namespace
}  // namespace fathom::testing
