#include "ops/attention.h"

#include <gmock/gmock.h>

#include "support/op_test.h"

namespace fathom::testing {
namespace {

struct Shape3 {
  int64_t H, Dn, Dr, Dv;
  int64_t G = H;  // heads of keys and values
};

class AttentionTest : public OpTest {
 protected:
  // A problem and its outputs. Sequence b has queries[b] queries and prefix[b] more keys than that.
  struct Problem {
    Pair q, kv, rope_rows, k_rope, q_starts, kv_starts, dout;
    Pair out, lse, dq, dkv, drope_rows, dk_rope;
    double scale;
    AttentionForward forward(auto pick) const {
      return {.out = pick(out),
              .lse = pick(lse),
              .q = pick(q),
              .kv = pick(kv),
              .k_rope = pick(k_rope),
              .q_starts = pick(q_starts),
              .kv_starts = pick(kv_starts),
              .scale = scale};
    }
    AttentionBackward backward(auto pick) const {
      return {.dq = pick(dq),
              .dkv = pick(dkv),
              .dk_rope = pick(dk_rope),
              .dout = pick(dout),
              .out = pick(out),
              .lse = pick(lse),
              .q = pick(q),
              .kv = pick(kv),
              .k_rope = pick(k_rope),
              .q_starts = pick(q_starts),
              .kv_starts = pick(kv_starts),
              .scale = scale};
    }
  };

  // k_rope is a column slice of rows that are `latent` columns wider; with Dr = 0 it is absent.
  Problem problem(const Shape3& s, const std::vector<int32_t>& queries, const std::vector<int32_t>& prefix,
                  int64_t latent = 7) {
    std::vector<int32_t> q_starts = {0}, kv_starts = {0};
    for (size_t b = 0; b < queries.size(); ++b) {
      q_starts.push_back(q_starts.back() + queries[b]);
      kv_starts.push_back(kv_starts.back() + queries[b] + prefix[b]);
    }
    const int64_t N = q_starts.back(), M = kv_starts.back(), B1 = static_cast<int64_t>(q_starts.size());
    const int64_t D = s.Dn + s.Dr;
    Problem p{.q = random({N, s.H, D}),
              .kv = random({M, s.G, s.Dn + s.Dv}),
              .rope_rows = random({M, latent + s.Dr}),
              .k_rope = {},
              .q_starts = integers({B1}, q_starts),
              .kv_starts = integers({B1}, kv_starts),
              .dout = random({N, s.H, s.Dv}),
              .out = output({N, s.H, s.Dv}),
              .lse = output_stat({N, s.H}),
              .dq = output({N, s.H, D}),
              .dkv = output({M, s.G, s.Dn + s.Dv}),
              .drope_rows = random({M, latent + s.Dr}),
              .dk_rope = {},
              .scale = 1.5 / std::sqrt(static_cast<double>(D))};
    if (s.Dr == 0) return p;
    p.k_rope = columns(p.rope_rows, latent, s.Dr);
    p.dk_rope = columns(p.drope_rows, latent, s.Dr);
    return p;
  }

  void expect_right(const Problem& p) {
    run(attention_forward, [&](auto pick) { return p.forward(pick); });
    expect_close("out", p.out);
    expect_close("lse", p.lse);
    run(attention_backward, [&](auto pick) { return p.backward(pick); });
    // A chain: lse and out are themselves rounded, and ds = p (dp - delta) is a difference of like numbers.
    expect_close("dq", p.dq, 2);
    expect_close("dkv", p.dkv, 2);
    expect_close("dk_rope, the other columns unchanged", p.drope_rows, 2);
  }
};
FATHOM_OP_TEST(AttentionTest);

constexpr Shape3 odd = {3, 24, 8, 16}, lite = {2, 128, 64, 128};

TEST_P(AttentionTest, PackedSequences) {
  expect_right(problem(odd, {1, 2, 63, 64, 65, 130}, {0, 0, 0, 0, 0, 0}));
  expect_right(problem(lite, {65, 130}, {0, 0}));
}

// Heads of DeepSeek-V2 and of the small recipes, in aligned rows.
TEST_P(AttentionTest, HeadsOfTheModels) {
  for (const Shape3& s : {Shape3{2, 128, 64, 128}, Shape3{3, 64, 32, 64}, Shape3{2, 32, 16, 32}}) {
    expect_right(problem(s, {1, 65, 64, 200}, {0, 0, 0, 0}, 16));
    expect_right(problem(s, {3, 0, 130}, {70, 5, 1}, 16));
  }
}

// Keys and values that several heads share, with and without a part that all share.
TEST_P(AttentionTest, GroupedQueries) {
  for (const Shape3& s : {Shape3{6, 24, 8, 16, 2}, Shape3{4, 8, 0, 8, 4}, Shape3{5, 7, 0, 9, 1}}) {
    expect_right(problem(s, {1, 2, 63, 64, 65, 130}, {0, 0, 0, 0, 0, 0}));
    expect_right(problem(s, {3, 0, 130}, {70, 5, 1}));
  }
  expect_right(problem({36, 4, 0, 4, 12}, {40}, {3}));  // more heads than groups of the rotary gradient
}

// Head sizes of Llama's form that have kernels of their own on a GPU: MHA, GQA and MQA.
TEST_P(AttentionTest, GroupedHeadsOfTheModels) {
  const std::vector<int64_t> few = {32}, all = {128, 64, 32};  // a CPU has one kernel
  for (const int64_t D : device_.on_host() ? few : all)
    for (const int64_t G : {4, 2, 1}) {
      expect_right(problem({4, D, 0, D, G}, {1, 65, 64, 200}, {0, 0, 0, 0}));
      expect_right(problem({4, D, 0, D, G}, {3, 0, 130}, {70, 5, 1}));
    }
}

TEST_P(AttentionTest, GroupedQueriesInMoreTilesThanAGpuHasBlocks) {
  std::vector<int32_t> queries(60), before(60, 0);
  for (int i = 0; i < 60; ++i) queries[i] = i == 20 ? 270 : i * 7 % 11;
  const int64_t D = device_.on_host() ? 16 : 128;
  expect_right(problem({8, D, 0, D, 2}, queries, before));
}

// On a GPU a block then takes one tile after another, some of them of many keys.
TEST_P(AttentionTest, MoreTilesThanAGpuHasBlocks) {
  constexpr int sequences = 80;
  std::vector<int32_t> queries(sequences), before(sequences);
  for (int i = 0; i < sequences; ++i)
    queries[i] = i == 20 ? 140 : i * 7 % 11, before[i] = i == 7 ? 200 : i * 5 % 9;
  expect_right(problem({4, 128, 64, 128}, queries, before, 16));
}

TEST_P(AttentionTest, DimensionsThatFillNoVector) {
  expect_right(problem({1, 5, 3, 7}, {9, 70}, {0, 0}));
  expect_right(problem({35, 2, 1, 1}, {3}, {0}));  // more heads than groups of the rotary gradient
  expect_right(problem({2, 0, 8, 8}, {5}, {0}));
}

TEST_P(AttentionTest, ContinuesAPrefix) {
  expect_right(problem(odd, {1, 5, 64, 70}, {200, 1, 131, 64}));
}

TEST_P(AttentionTest, EmptySequences) {
  expect_right(problem(odd, {0, 4, 0, 3, 0}, {0, 0, 6, 0, 0}));
  expect_right(problem(odd, {0}, {5}));
}

TEST_P(AttentionTest, LongerThanOneRunOfQueries) {
  expect_right(problem(odd, {530}, {3}));
}

TEST_P(AttentionTest, LargeScoresDoNotOverflow) {
  Problem p = problem(odd, {40}, {0});
  p.scale = 40;
  run(attention_forward, [&](auto pick) { return p.forward(pick); });
  // f32 scores of size ~1000 carry an absolute error of 1e-4, which the exponential turns into a relative
  // one.
  expect_close("out", p.out, any() == DType::f32 ? 100 : 1);
  expect_close("lse", p.lse);
}

TEST_P(AttentionTest, LseMayBeAbsent) {
  const Problem p = problem(odd, {20}, {0});
  run(attention_forward, [&](auto pick) {
    AttentionForward a = p.forward(pick);
    a.lse = {};
    return a;
  });
  expect_close("out", p.out);
}

// One sequence's result does not depend on what else is in the batch, nor on the number of threads.
TEST_P(AttentionTest, BatchAndThreadsDoNotChangeBits) {
  const Problem many = problem(odd, {30, 70}, {0, 10});
  run(attention_forward, [&](auto pick) { return many.forward(pick); });
  run(attention_backward, [&](auto pick) { return many.backward(pick); });
  Problem one = problem(odd, {70}, {10});
  one.q.target = many.q.target.slice(30, 70), one.kv.target = many.kv.target.slice(30, 80);
  one.k_rope.target = many.k_rope.target.slice(30, 80), one.dout.target = many.dout.target.slice(30, 70);
  Device single = device_of(GetParam().backend, 1);
  const auto target = [](const Pair& p) { return p.target; };
  attention_forward(single, one.forward(target));
  attention_backward(single, one.backward(target));
  EXPECT_EQ(relative_error(one.out.target, many.out.target.slice(30, 70)), 0);
  EXPECT_EQ(relative_error(one.dq.target, many.dq.target.slice(30, 70)), 0);
  EXPECT_EQ(relative_error(one.dkv.target, many.dkv.target.slice(30, 80)), 0);
  EXPECT_EQ(relative_error(one.dk_rope.target, many.dk_rope.target.slice(30, 80)), 0);
}

TEST_P(AttentionTest, GradientsMatchDifferences) {
  for (const Shape3& s : {Shape3{2, 3, 2, 4}, Shape3{4, 3, 2, 4, 2}, Shape3{3, 3, 0, 4, 1}}) {
    const Problem p = problem(s, {3, 0, 4}, {0, 1, 2});
    const auto ref = [](const Pair& pair) { return pair.ref; };
    auto forward = [&](Device& d) { attention_forward(d, p.forward(ref)); };
    Device reference = Device::reference();
    forward(reference);
    attention_backward(reference, p.backward(ref));
    expect_gradient("dq", p.q.ref, p.dq.ref, p.out.ref, p.dout.ref, forward);
    expect_gradient("dkv", p.kv.ref, p.dkv.ref, p.out.ref, p.dout.ref, forward);
    if (s.Dr > 0) expect_gradient("dk_rope", p.k_rope.ref, p.dk_rope.ref, p.out.ref, p.dout.ref, forward);
  }
}

// A key that no query of a sequence may see, and the next sequence's keys, change nothing.
TEST_P(AttentionTest, FutureKeysAreNotRead) {
  const Problem p = problem(odd, {1, 100}, {0, 0});
  const auto target = [](const Pair& pair) { return pair.target; };
  attention_forward(device_, p.forward(target));
  std::vector<double> before;
  for (int64_t n = 0; n <= 50; ++n) before.push_back(element(p.out.target, n * odd.H, 3));
  const Tensor future = p.kv.target.slice(51, 50), rope = p.k_rope.target.slice(51, 50);
  for (const Tensor& t : {future, rope})
    for (int64_t r = 0; r < t.rows(); ++r)
      for (int64_t c = 0; c < t.cols(); ++c)
        if (any() == DType::f32)
          t.row<float>(r)[c] = 1000;
        else
          t.row<bf16>(r)[c] = bf16(1000.0f);
  attention_forward(device_, p.forward(target));
  for (int64_t n = 0; n <= 50; ++n) EXPECT_EQ(element(p.out.target, n * odd.H, 3), before[n]) << n;
}

TEST_P(AttentionTest, NamesTheFieldThatIsWrong) {
  const Problem p = problem(odd, {4, 5}, {0, 1});
  const auto target = [](const Pair& pair) { return pair.target; };
  const auto refuses = [&](const char* words, auto change) {
    AttentionBackward b = p.backward(target);
    change(b);
    EXPECT_THAT([&] { attention_backward(device_, b); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr(words)));
  };
  refuses("attention q ", [](auto& a) { a.q = a.q.slice(0, 8); });
  refuses("Dn+Dv=39", [](auto& a) { a.q = a.q.columns(1, 31); });
  refuses("fewer than k_rope's", [](auto& a) { a.q = a.q.columns(0, 7); });
  refuses("attention kv ", [](auto& a) { a.kv = a.kv.columns(0, 20); });
  refuses("M=9", [](auto& a) { a.k_rope = a.k_rope.slice(0, 9); });
  refuses("attention kv ", [](auto& a) { a.k_rope = {}; });
  refuses("attention kv has 2 heads", [](auto& a) { a.kv = Tensor(a.kv.data, a.kv.dtype, {10, 2, 40}); });
  refuses("attention dout", [](auto& a) { a.dout = a.dout.slice(0, 8); });
  refuses("attention dq", [](auto& a) { a.dq = a.dq.columns(0, 8); });
  refuses("attention lse", [](auto& a) { a.lse = {}; });
  refuses("kv_starts", [](auto& a) { a.kv_starts = a.kv_starts.slice(0, 2); });
  if (!device_.on_host()) return;  // there they are trusted
  const Pair short_q = integers({3}, {0, 4, 8}), falling = integers({3}, {0, 10, 9});
  const Pair few = integers({3}, {0, 3, 10});
  refuses("q_starts must run from 0 to 9", [&](auto& a) { a.q_starts = short_q.target; });
  refuses("kv_starts must run from 0 to 10", [&](auto& a) { a.kv_starts = falling.target; });
  refuses("sequence 0 has 3 keys for 4 queries", [&](auto& a) { a.kv_starts = few.target; });
}

}  // namespace
}  // namespace fathom::testing
