#include "ops/grouped_swiglu.h"

#include <cmath>
#include <cstring>

#include "ops/grouped_linear.h"
#include "support/op_test.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom::testing {
namespace {

class GroupedSwigluTest : public OpTest {
 protected:
  // `experts[e]` rows for every expert, of tokens in no order; C columns of a wider x if `spare` > 0.
  struct Case {
    Pair x, w, token_of, offsets, rows, gate_up;
    GroupedSwiglu arguments(const Tensor& out, const std::function<Tensor(const Pair&)>& pick) const {
      return {.out = out,
              .x = pick(x),
              .w = pick(w),
              .token_of = pick(token_of),
              .offsets = pick(offsets),
              .rows = pick(rows),
              .gate_up = pick(gate_up)};
    }
  };
  Case make(const std::vector<int32_t>& experts, int64_t N, int64_t F, int64_t C, int64_t spare = 0) {
    std::vector<int32_t> bounds = {0}, tokens;
    for (int32_t rows : experts) bounds.push_back(bounds.back() + rows);
    const int64_t E = static_cast<int64_t>(experts.size()), M = bounds.back();
    for (int64_t m = 0; m < M; ++m) tokens.push_back(static_cast<int32_t>(m * 7 % N));
    return {.x = columns(random({N, C + spare}), 0, C),
            .w = random({E, 2 * F, C}, 1 / std::sqrt(static_cast<double>(C))),
            .token_of = integers({M}, tokens),
            .offsets = integers({E + 1}, bounds),
            .rows = output({M, C}),
            .gate_up = output({M, 2 * F})};
  }
  bool on_hopper() const {
#if FATHOM_WITH_CUDA
    return !device_.on_host() && device_.cuda_context().hopper();
#else
    return false;
#endif
  }
  void check(const std::vector<int32_t>& experts, int64_t N, int64_t F, int64_t C, int64_t spare = 0) {
    const Case c = make(experts, N, F, C, spare);
    const Pair wide = output({c.rows.target.rows(), F + spare}), out = columns(wide, 0, F);
    run(grouped_swiglu, [&](auto pick) { return c.arguments(pick(out), pick); });
    expect_close("out", out);
    for (int64_t m = 0; m < wide.target.rows(); ++m)
      for (int64_t f = F; f < F + spare; ++f) ASSERT_TRUE(std::isnan(element(wide.target, m, f)));
  }
};
FATHOM_OP_TEST(GroupedSwigluTest);

TEST_P(GroupedSwigluTest, AnyNumberOfRowsAnExpert) {
  check({1, 0, 7, 8, 9, 16, 17}, 5, 72, 136);
  check({0, 63, 0, 64, 65, 33, 0}, 40, 64, 64);
  check({200, 1, 0, 130}, 70, 200, 72);
  check({200, 0, 0, 0, 0, 3, 0, 0}, 70, 200, 72);
  check({70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 33, 0, 0, 0, 8}, 50, 136, 192);
  check({0, 0, 1}, 1, 8, 520);
}

TEST_P(GroupedSwigluTest, OddSizes) {
  check({3, 0, 11}, 4, 19, 23);
  check({1}, 1, 1, 1);
  check({2, 40}, 9, 24, 37);
}

TEST_P(GroupedSwigluTest, RowsApart) {
  check({5, 21, 0, 2}, 11, 64, 128, 8);
  check({5, 21, 0, 2}, 11, 64, 128, 3);  // unaligned
}

TEST_P(GroupedSwigluTest, NoRows) {
  check({0, 0, 0}, 3, 16, 24);
}

TEST_P(GroupedSwigluTest, ManyExperts) {
  std::vector<int32_t> experts(300);
  for (size_t e = 0; e < experts.size(); ++e) experts[e] = static_cast<int32_t>(e * 7 % 13);
  check(experts, 50, 40, 64);
}

TEST_P(GroupedSwigluTest, RowsOnHopperDoNotDependOnTheirNumber) {
  if (!on_hopper())
    GTEST_SKIP()
        << "elsewhere the number of rows chooses the kernel: tools/gpu_check.sh runs it on a Hopper GPU";
  constexpr int64_t F = 64, C = 192;
  const auto bits_equal = [](const Tensor& few, const Tensor& many) {
    return std::memcmp(few.data, many.data, static_cast<size_t>(few.bytes())) == 0;
  };
  const auto pick = [](const Pair& p) { return p.target; };
  Case c = make({40}, 40, F, C);
  const Tensor w = random({1, C, F}).target, offsets = c.offsets.target;
  const Tensor act = output({40, F}).target, rows = output({40, C}).target;
  grouped_swiglu(device_, c.arguments(act, pick));
  grouped_linear_forward(device_, {.out = rows, .x = act, .w = w, .offsets = offsets});
  for (int32_t M : {17, 24, 25, 32, 33}) {  // fewer take another kernel
    const Tensor few = output({M, F}).target, few_rows = output({M, C}).target;
    const Tensor bounds = integers({2}, {0, M}).target;
    GroupedSwiglu a = c.arguments(few, pick);
    a.token_of = a.token_of.slice(0, M), a.offsets = bounds;
    a.rows = a.rows.slice(0, M), a.gate_up = a.gate_up.slice(0, M);
    grouped_swiglu(device_, a);
    EXPECT_TRUE(bits_equal(few, act)) << M << " rows";
    grouped_linear_forward(device_, {.out = few_rows, .x = few, .w = w, .offsets = bounds});
    EXPECT_TRUE(bits_equal(few_rows, rows)) << M << " rows";
  }
}

TEST_P(GroupedSwigluTest, NamesTheFieldThatIsWrong) {
  const Case good = make({2, 0, 3}, 4, 8, 16);
  const Tensor out = output({5, 8}).target;
  const auto call = [&](const Case& c, const Tensor& to) {
    grouped_swiglu(device_, c.arguments(to, [](const Pair& p) { return p.target; }));
  };
  EXPECT_NO_THROW(call(good, out));
  EXPECT_THROW(call(good, output({5, 9}).target), Error);
  EXPECT_THROW(call(good, output({4, 8}).target), Error);
  Case wrong = good;
  wrong.offsets = integers({3}, {0, 2, 5});
  EXPECT_THROW(call(wrong, out), Error);
  wrong = good;
  wrong.gate_up = output({5, 8});
  EXPECT_THROW(call(wrong, out), Error);
  if (!device_.on_host()) return;  // on a GPU they are trusted
  wrong = good;
  wrong.offsets = integers({4}, {0, 2, 2, 4});
  EXPECT_THROW(call(wrong, out), Error);
  wrong = good;
  wrong.token_of = integers({5}, {0, 1, 2, 3, 4});
  EXPECT_THROW(call(wrong, out), Error);
}

}  // namespace
}  // namespace fathom::testing
