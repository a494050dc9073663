#include "ops/combine.h"

#include "expert_order.h"

namespace fathom::testing {
namespace {

class CombineTest : public ExpertOrderTest {
 protected:
  void expect_forward(const char* what, const Order& o, const Pair& rows, const Pair& weights,
                      const Pair& shared, const Pair& out) {
    run(combine, [&](auto pick) {
      return Combine{.out = pick(out),
                     .rows = pick(rows),
                     .weights = pick(weights),
                     .row_of = pick(o.row_of),
                     .shared = pick(shared)};
    });
    expect_close(what, out);
  }
  void expect_backward(const Order& o, const Pair& rows, const Pair& weights, const Pair& dout,
                       const Pair& drows, const Pair& dweights) {
    run(combine_backward, [&](auto pick) {
      return CombineBackward{.drows = pick(drows),
                             .dweights = pick(dweights),
                             .dout = pick(dout),
                             .rows = pick(rows),
                             .weights = pick(weights),
                             .row_of = pick(o.row_of)};
    });
    expect_close("drows", used(drows, o));
    expect_close("dweights", dweights);
  }
};
FATHOM_OP_TEST(CombineTest);

TEST_P(CombineTest, Combines) {
  for (int64_t K : {1, 3, 6})
    for (int64_t C : {1, 8, 45}) {
      const int64_t N = 11, M = N * K;
      const Order o = sort_random(N, K, 5);
      const Pair rows = random({M, C}), weights = random_stat({N, K}), shared = random({N, C}),
                 out = output({N, C}), dout = random({N, C}), drows = output({M, C}),
                 dweights = output_stat({N, K});
      expect_forward("out", o, rows, weights, Pair{}, out);
      expect_forward("out with shared", o, rows, weights, shared, out);
      expect_forward("out in place of shared", o, rows, weights, shared, shared);
      expect_backward(o, rows, weights, dout, drows, dweights);
      expect_backward(o, rows, weights, dout, rows, dweights);
    }
}

// What goes nowhere adds nothing, takes nothing from the other weights and has no gradient, whatever lies in
// the rows that are nobody's.
TEST_P(CombineTest, LeavesOutWhatGoesNowhere) {
  for (int64_t C : {8, 45}) {
    const int64_t N = 11, K = 3, M = N * K;
    const Order o = sort_with_dropped(N, K, 5);
    const Pair rows = random({M, C}), weights = random_stat({N, K}), out = output({N, C}),
               dout = random({N, C}), drows = output({M, C}), dweights = output_stat({N, K});
    poison(rows, used_rows(o));
    expect_forward("out", o, rows, weights, Pair{}, out);
    expect_backward(o, rows, weights, dout, drows, dweights);
    for (int64_t slot = 0; slot < M; slot += 3)
      EXPECT_EQ(element(dweights.target, slot / K, slot % K), 0) << slot;
  }
}

TEST_P(CombineTest, GradientsMatchDifferences) {
  const int64_t N = 4, K = 2, M = N * K, C = 3;
  const Order o = sort_random(N, K, 3);
  const Pair x = random({N, C});
  Device reference = Device::reference();
  const Pair rows = random({M, C}), weights = random_stat({N, K}), out = output({N, C}),
             dout = random({N, C});
  const Pair drows = output({M, C}), dweights = output_stat({N, K});
  combine_backward(reference, {.drows = drows.ref,
                               .dweights = dweights.ref,
                               .dout = dout.ref,
                               .rows = rows.ref,
                               .weights = weights.ref,
                               .row_of = o.row_of.ref});
  auto forward = [&](Device& d) {
    combine(
        d,
        {.out = out.ref, .rows = rows.ref, .weights = weights.ref, .row_of = o.row_of.ref, .shared = x.ref});
  };
  expect_gradient("drows", rows.ref, drows.ref, out.ref, dout.ref, forward);
  expect_gradient("dweights", weights.ref, dweights.ref, out.ref, dout.ref, forward);
  expect_gradient("dshared", x.ref, dout.ref, out.ref, dout.ref, forward);
}

TEST_P(CombineTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({3, 4}), rows = random({5, 4}), row_of = integers({3, 2}, {0, 1, 2, 3, 4, 5});
  const Pair weights = random_stat({3, 2});
  EXPECT_THROW(
      combine(device_,
              {.out = x.target, .rows = rows.target, .weights = weights.target, .row_of = row_of.target}),
      Error);
}

}  // namespace
}  // namespace fathom::testing
