#include "ops/combine.h"

#include "expert_order.h"

namespace fathom::testing {
namespace {

class CombineTest : public ExpertOrderTest {};
FATHOM_OP_TEST(CombineTest);

TEST_P(CombineTest, Combines) {
  for (int64_t K : {1, 3, 6})
    for (int64_t C : {1, 8, 45}) {
      const int64_t N = 11, M = N * K;
      const Order o = sort_random(N, K, 5);
      const Pair rows = random({M, C}), weights = random_stat({N, K}), shared = random({N, C}),
                 out = output({N, C}), dout = random({N, C}), drows = output({M, C}),
                 dweights = output_stat({N, K});
      auto arguments = [&](const Pair& out, const Pair& shared) {
        return [&](auto pick) {
          return Combine{.out = pick(out),
                         .rows = pick(rows),
                         .weights = pick(weights),
                         .row_of = pick(o.row_of),
                         .shared = pick(shared)};
        };
      };
      run(combine, arguments(out, Pair{}));
      expect_close("out", out);
      run(combine, arguments(out, shared));
      expect_close("out with shared", out);
      run(combine, arguments(shared, shared));
      expect_close("out in place of shared", shared);
      auto backward = [&](const Pair& drows) {
        run(combine_backward, [&](auto pick) {
          return CombineBackward{.drows = pick(drows),
                                 .dweights = pick(dweights),
                                 .dout = pick(dout),
                                 .rows = pick(rows),
                                 .weights = pick(weights),
                                 .row_of = pick(o.row_of)};
        });
        expect_close("drows", drows);
        expect_close("dweights", dweights);
      };
      backward(drows);
      backward(rows);
    }
}

// What goes nowhere adds nothing, takes nothing from the other weights and has no gradient, whatever lies in
// the rows that are nobody's.
TEST_P(CombineTest, LeavesOutWhatGoesNowhere) {
  for (int64_t C : {8, 45}) {
    const int64_t N = 11, K = 3, M = N * K;
    const Order o = sort_with_dropped(N, K, 5);
    const Pair rows = random({M, C}), weights = random_stat({N, K}), out = output({N, C}),
               dout = random({N, C}), drows = output({M, C}), dweights = output_stat({N, K}), none;
    poison(rows, used_rows(o));
    run(combine, [&](auto pick) {
      return Combine{.out = pick(out),
                     .rows = pick(rows),
                     .weights = pick(weights),
                     .row_of = pick(o.row_of),
                     .shared = pick(none)};
    });
    expect_close("out", out);
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
