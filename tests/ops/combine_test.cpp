#include "ops/combine.h"

#include "expert_order.h"
#include "support/temp_dir.h"

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

TEST_P(CombineTest, WithoutWeightsEachIsOne) {
  for (int64_t C : {8, 45}) {
    const int64_t N = 11, K = 3;
    const Order o = sort_with_dropped(N, K, 5);
    const Pair rows = used(random({N * K, C}), o), shared = random({N, C}), out = output({N, C});
    const Pair ones = filled({N, K}, stat(), [](int64_t) { return 1.0; }), want = output({N, C});
    expect_forward("out", o, rows, Pair{}, shared, out);
    expect_forward("with ones", o, rows, ones, shared, want);
    for (int64_t n = 0; n < N; ++n)
      for (int64_t c = 0; c < C; ++c) ASSERT_EQ(element(out.target, n, c), element(want.target, n, c));
  }
}

TEST_P(CombineTest, OfNothing) {
  const Order o = sort(0, 3, 5, {});
  const Pair none = random({0, 8}), weights = random_stat({0, 3}), dweights = output_stat({0, 3});
  expect_forward("out", o, none, weights, Pair{}, output({0, 8}));
  expect_backward(o, none, weights, random({0, 8}), output({0, 8}), dweights);
  // Tokens of which none goes anywhere.
  const Order nowhere = sort(2, 1, 3, {-1, -1});
  const Pair out = output({2, 8});
  expect_forward("out", nowhere, none, random_stat({2, 1}), Pair{}, out);
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
  const Pair x = random({3, 4}), rows = random({6, 5}), row_of = integers({3, 2}, {0, 1, 2, 3, 4, 5});
  const Pair weights = random_stat({3, 2});
  const auto combined = [&](const Tensor& from) {
    return error_of([&] {
      combine(device_, {.out = x.target, .rows = from, .weights = weights.target, .row_of = row_of.target});
    });
  };
  EXPECT_NE(combined(rows.target).find("combine out"), std::string::npos);
  if (!device_.on_host()) return;  // who made a GPU's rows has checked them
  EXPECT_NE(combined(rows.target.columns(0, 4).slice(0, 5)).find("row_of[2, 1] is 5"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
