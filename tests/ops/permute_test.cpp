#include "ops/permute.h"

#include <algorithm>
#include <numeric>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

class PermuteTest : public OpTest {
 protected:
  struct Order {
    Pair offsets, row_of, token_of;
  };
  Order sort(int64_t N, int64_t K, int64_t E, const std::vector<int32_t>& choices) {
    const Order o{integers({E + 1}), integers({N, K}), integers({N * K})};
    const Pair ids = integers({N, K}, choices);
    run(expert_sort, [&](auto pick) {
      return ExpertSort{.offsets = pick(o.offsets),
                        .row_of = pick(o.row_of),
                        .token_of = pick(o.token_of),
                        .ids = pick(ids)};
    });
    return o;
  }
  Order sort_random(int64_t N, int64_t K, int64_t E) {
    std::vector<int32_t> choices(N * K);
    for (int32_t& c : choices) c = static_cast<int32_t>(rng_.below(E));
    return sort(N, K, E, choices);
  }
};
FATHOM_OP_TEST(PermuteTest);

TEST_P(PermuteTest, SortsByExpertThenSlot) {
  const Order o = sort(3, 2, 4, {3, 0, 0, 3, 3, 2});
  const int32_t offsets[] = {0, 2, 2, 3, 6}, row_of[] = {3, 0, 1, 4, 5, 2}, token_of[] = {0, 1, 2, 0, 1, 2};
  EXPECT_TRUE(std::equal(offsets, offsets + 5, o.offsets.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(row_of, row_of + 6, o.row_of.target.as<int32_t>()));
  EXPECT_TRUE(std::equal(token_of, token_of + 6, o.token_of.target.as<int32_t>()));
}

TEST_P(PermuteTest, SortsAnyShape) {
  for (int64_t N : {1, 7, 1000, 3000})
    for (int64_t K : {1, 6})
      for (int64_t E : {1, 2, 65}) {
        const Order o = sort_random(N, K, E);
        expect_close("offsets", o.offsets);
        expect_close("row_of", o.row_of);
        expect_close("token_of", o.token_of);
      }
}

TEST_P(PermuteTest, CountsExperts) {
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

TEST_P(PermuteTest, MovesRowsAndBack) {
  for (int64_t K : {1, 3, 6})
    for (int64_t C : {1, 8, 45}) {
      const int64_t N = 11, M = N * K;
      const Order o = sort_random(N, K, 5);
      const Pair x = random({N, C}), out = output({M, C}), dout = random({M, C}), dx = output({N, C});
      run(permute,
          [&](auto pick) { return Permute{.out = pick(out), .x = pick(x), .token_of = pick(o.token_of)}; });
      expect_close("out", out);
      run(permute_backward, [&](auto pick) {
        return PermuteBackward{.dx = pick(dx), .dout = pick(dout), .row_of = pick(o.row_of)};
      });
      expect_close("dx", dx);
    }
}

TEST_P(PermuteTest, Combines) {
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

TEST_P(PermuteTest, GradientsMatchDifferences) {
  const int64_t N = 4, K = 2, M = N * K, C = 3;
  const Order o = sort_random(N, K, 3);
  const Pair x = random({N, C}), moved = output({M, C}), dmoved = random({M, C}), dx = output({N, C});
  Device reference = Device::reference();
  permute_backward(reference, {.dx = dx.ref, .dout = dmoved.ref, .row_of = o.row_of.ref});
  expect_gradient("dx", x.ref, dx.ref, moved.ref, dmoved.ref,
                  [&](Device& d) { permute(d, {.out = moved.ref, .x = x.ref, .token_of = o.token_of.ref}); });

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

TEST_P(PermuteTest, NamesTheFieldThatIsWrong) {
  const Pair x = random({3, 4}), rows = random({5, 4}), row_of = integers({3, 2}, {0, 1, 2, 3, 4, 5});
  const Pair weights = random_stat({3, 2}), token_of = integers({6}), offsets = integers({1});
  EXPECT_THROW(permute(device_, {.out = rows.target, .x = x.target, .token_of = token_of.target}), Error);
  EXPECT_THROW(permute_backward(device_, {.dx = x.target, .dout = rows.target, .row_of = row_of.target}),
               Error);
  EXPECT_THROW(combine(device_, {.out = x.target,
                                 .rows = rows.target,
                                 .weights = weights.target,
                                 .row_of = row_of.target,
                                 .shared = {}}),
               Error);
  EXPECT_THROW(expert_sort(device_, {.offsets = offsets.target,
                                     .row_of = row_of.target,
                                     .token_of = token_of.target,
                                     .ids = row_of.target}),
               Error);
}

}  // namespace
}  // namespace fathom::testing
