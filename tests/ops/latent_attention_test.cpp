#include "ops/latent_attention.h"

#include <gmock/gmock.h>

#include "ops/attention.h"
#include "paged_cache.h"

namespace fathom::testing {
namespace {

class LatentAttentionTest : public PagedCacheTest {
 protected:
  // Queries (sequence, position) over sequences of the given lengths; their rotary part begins at column Dn.
  void expect_attention(int64_t H, int64_t R, int64_t Dr, int64_t page, const std::vector<int32_t>& lengths,
                        const std::vector<int32_t>& sequence, const std::vector<int32_t>& positions,
                        int64_t Dn = 5) {
    int64_t M = 0;
    for (int64_t length : lengths) M += length;
    const int64_t N = static_cast<int64_t>(sequence.size());
    const Cache c = cache(random({M, R + Dr}), lengths, page);
    const Pair q_latent = random({N, H, R}), q = random({N, H, Dn + Dr}), out = output({N, H, R});
    const Pair q_rope = columns(q, Dn, Dr), s = integers({N}, sequence), p = integers({N}, positions);
    run(latent_attention, [&](auto pick) {
      return LatentAttention{.out = pick(out),
                             .q_latent = pick(q_latent),
                             .q_rope = pick(q_rope),
                             .pages = pick(c.pages),
                             .block_table = pick(c.block_table),
                             .sequence = pick(s),
                             .positions = pick(p),
                             .scale = 1 / std::sqrt(static_cast<double>(R + Dr))};
    });
    expect_close("out", out);
  }
};
FATHOM_OP_TEST(LatentAttentionTest);

TEST_P(LatentAttentionTest, DecodesAtTheEndOfEachSequence) {
  for (int64_t page : {1, 3, 16})
    expect_attention(3, 40, 8, page, {1, 2, 63, 64, 65, 130}, {0, 1, 2, 3, 4, 5}, {0, 1, 62, 63, 64, 129});
}

TEST_P(LatentAttentionTest, RealSizes) {
  expect_attention(16, 512, 64, 16, {90, 3}, {0, 1}, {89, 2});
}

// Those of the models, in aligned rows, with contexts of one split and of many.
TEST_P(LatentAttentionTest, HeadsOfTheModels) {
  expect_attention(16, 512, 64, 16, {1, 64, 65, 300}, {0, 1, 2, 3, 3}, {0, 63, 64, 299, 100}, 8);
  expect_attention(21, 512, 64, 16, {33}, {0}, {32}, 8);
  expect_attention(8, 128, 32, 64, {70, 5000}, {0, 1}, {69, 4999}, 16);
  expect_attention(24, 128, 16, 64, {70, 3000}, {0, 1}, {69, 2999}, 32);
}

// Batches of very different lengths, whose tiles are divided among the blocks of a GPU in uneven parts, with
// the pages and the heads that its kernels distinguish.
TEST_P(LatentAttentionTest, BatchesOfTheModels) {
  const std::vector<int32_t> lengths = {1, 700, 64, 3, 129, 2500, 65, 1, 320, 63},
                             order = {3, 9, 0, 1, 5, 2, 4, 8, 7, 6, 5, 1};
  std::vector<int32_t> positions;
  for (int32_t b : order) positions.push_back(lengths[b] - 1);
  positions[10] = 1234, positions[11] = 0;  // in the middle of a sequence, and at its start
  using Shape = std::pair<int, int>;
  const std::vector<Shape> few = {{16, 64}, {20, 24}},  // a CPU has one kernel
      all = {{16, 64}, {16, 16}, {12, 8}, {32, 128}, {20, 32}, {48, 64}, {16, 24}};
  for (const auto& [H, page] : device_.on_host() ? few : all)
    expect_attention(H, 512, 64, page, lengths, order, positions, 8);
}

// Numbers of heads that fill the tiles of a GPU's kernel to different degrees, and contexts around the ends
// of its steps of sixteen rows and its splits. The queries in the middle of a sequence end before its last
// page.
TEST_P(LatentAttentionTest, NarrowLatents) {
  const std::vector<int32_t> lengths = {1, 15, 16, 17, 63, 64, 65, 255, 256, 257, 513, 3000},
                             order = {11, 0, 3, 1, 2, 9, 8, 7, 10, 5, 4, 6, 11, 10};
  std::vector<int32_t> positions;
  for (int32_t b : order) positions.push_back(lengths[b] - 1);
  positions[12] = 2047, positions[13] = 0;
  using Shape = std::pair<int, int>;
  const std::vector<Shape> few = {{5, 16}},  // a CPU has one kernel
      all = {{1, 64},  {5, 16}, {8, 1},    {9, 7},   {16, 64}, {17, 16},
             {24, 64}, {25, 3}, {32, 128}, {40, 64}, {65, 32}};
  for (const auto& [H, page] : device_.on_host() ? few : all)
    for (int64_t Dr : {16, 32}) expect_attention(H, 128, Dr, page, lengths, order, positions, 32);
}

// The most splits that a context can have, of unequal lengths.
TEST_P(LatentAttentionTest, LongContextsOfNarrowLatents) {
  expect_attention(24, 128, 16, 64, {9001}, {0, 0}, {9000, 8191}, 32);
  if (!device_.on_host()) expect_attention(2, 128, 32, 64, {33001, 5}, {0, 1}, {33000, 4}, 32);
}

// Rows that do not begin at multiples of 16 bytes.
TEST_P(LatentAttentionTest, UnalignedNarrowLatents) {
  expect_attention(3, 128, 16, 16, {70}, {0}, {69}, 5);
}

TEST_P(LatentAttentionTest, ManyHeadsAndManyQueries) {
  expect_attention(128, 512, 64, 64, {200, 77}, {1, 0}, {76, 199}, 8);
  std::vector<int32_t> sequence(1100, 0), positions;  // more than one launch's
  for (int32_t i = 0; i < 1100; ++i) positions.push_back(i % 70);
  expect_attention(2, 512, 64, 64, {70}, sequence, positions, 8);
}

TEST_P(LatentAttentionTest, OddSizes) {
  expect_attention(1, 5, 3, 3, {20}, {0}, {19});
  expect_attention(17, 33, 1, 3, {70}, {0}, {69});
  expect_attention(40, 9, 2, 3, {30}, {0}, {29});
}

// Several queries of one sequence, at any positions: a small prefill through the absorbed path.
TEST_P(LatentAttentionTest, QueriesInTheMiddle) {
  expect_attention(4, 24, 8, 16, {100, 7}, {0, 0, 0, 0, 1, 1}, {99, 96, 97, 0, 6, 3});
}

TEST_P(LatentAttentionTest, LongContextsInParts) {
  expect_attention(2, 24, 8, 16, {513, 1500}, {0, 1, 1}, {512, 1499, 700});
  expect_attention(2, 8, 4, 16, {9000}, {0}, {8999});
}

TEST_P(LatentAttentionTest, MoreQueriesThanAreTakenAtOnce) {
  std::vector<int32_t> sequence(70, 0), positions;
  for (int32_t i = 0; i < 70; ++i) positions.push_back(i);
  expect_attention(2, 8, 4, 16, {70}, sequence, positions);
}

// The identity behind absorption: with q_latent = q_nope W_k per head, attention over the latents, then W_v
// per head, is the expanded attention over kv = c_kv [W_k; W_v].
TEST_P(LatentAttentionTest, AbsorbedEqualsExpanded) {
  const int64_t T = 37, H = 3, Dn = 6, Dr = 4, Dv = 5, R = 20, D = Dn + Dr;
  const Pair latent = random({T, R + Dr}), q = random({T, H, D}), kv_b = random({H, Dn + Dv, R}, 0.3);
  const auto target_like = [&](const Pair& p) {  // rounds the f64 side to the target's type
    return filled({p.ref.rows(), p.ref.cols()}, any(),
                  [&](int64_t i) { return p.ref.row<double>(i / p.ref.cols())[i % p.ref.cols()]; });
  };
  Pair kv = random({T, H, Dn + Dv}), q_latent = random({T, H, R});
  for (int64_t t = 0; t < T; ++t)
    for (int64_t h = 0; h < H; ++h) {
      for (int64_t i = 0; i < Dn + Dv; ++i) {
        double sum = 0;
        for (int64_t r = 0; r < R; ++r)
          sum += latent.ref.row<double>(t)[r] * kv_b.ref.row<double>(h * (Dn + Dv) + i)[r];
        kv.ref.row<double>(t * H + h)[i] = sum;
      }
      for (int64_t r = 0; r < R; ++r) {
        double sum = 0;
        for (int64_t i = 0; i < Dn; ++i)
          sum += q.ref.row<double>(t * H + h)[i] * kv_b.ref.row<double>(h * (Dn + Dv) + i)[r];
        q_latent.ref.row<double>(t * H + h)[r] = sum;
      }
    }
  const Tensor absorbed_q = target_like(q_latent).target.reshape({T, H, R});
  const Tensor expanded_kv = target_like(kv).target.reshape({T, H, Dn + Dv});
  const Pair out = output({T, H, Dv}), absorbed = output({T, H, R}), starts = integers({2}, {0, T});
  const Cache c = cache(latent, {T}, 3);
  std::vector<int32_t> at;
  for (int32_t t = 0; t < T; ++t) at.push_back(t);
  const Pair sequence = integers({T}, std::vector<int32_t>(T, 0)), positions = integers({T}, at);
  attention_forward(device_, {.out = out.target,
                              .q = q.target,
                              .kv = expanded_kv,
                              .k_rope = latent.target.columns(R, Dr),
                              .q_starts = starts.target,
                              .kv_starts = starts.target,
                              .scale = 0.3});
  latent_attention(device_, {.out = absorbed.target,
                             .q_latent = absorbed_q,
                             .q_rope = q.target.columns(Dn, Dr),
                             .pages = c.pages.target,
                             .block_table = c.block_table.target,
                             .sequence = sequence.target,
                             .positions = positions.target,
                             .scale = 0.3});
  Pair through_v = random({T, H, Dv});
  for (int64_t t = 0; t < T; ++t)
    for (int64_t h = 0; h < H; ++h)
      for (int64_t i = 0; i < Dv; ++i) {
        double sum = 0;
        for (int64_t r = 0; r < R; ++r)
          sum += element(absorbed.target, t * H + h, r) * kv_b.ref.row<double>(h * (Dn + Dv) + Dn + i)[r];
        through_v.ref.row<double>(t * H + h)[i] = sum;
      }
  // Both sides round: q_latent and the latent output here, kv and out there.
  EXPECT_LE(relative_error(out.target, through_v.ref), 2 * tolerance(any()));
}

// A cache of one page that holds the whole sequence is contiguous memory: the same bits come out.
TEST_P(LatentAttentionTest, PagedEqualsContiguous) {
  const Pair latent = random({100, 32 + 8}), q_latent = random({1, 3, 32}), q_rope = random({1, 3, 8});
  const Pair s = integers({1}, {0}), p = integers({1}, {99});
  const Pair whole = output({1, 3, 32}), paged = output({1, 3, 32});
  for (const auto& [page, out] : {std::pair{int64_t{100}, whole}, std::pair{int64_t{3}, paged}}) {
    const Cache c = cache(latent, {100}, page);
    latent_attention(device_, {.out = out.target,
                               .q_latent = q_latent.target,
                               .q_rope = q_rope.target,
                               .pages = c.pages.target,
                               .block_table = c.block_table.target,
                               .sequence = s.target,
                               .positions = p.target,
                               .scale = 0.2});
  }
  EXPECT_EQ(relative_error(paged.target, whole.target), 0);
}

// Of sizes with and without a kernel of their own.
TEST_P(LatentAttentionTest, BatchAndThreadsDoNotChangeBits) {
  for (const auto& [R, Dr] : {std::pair<int64_t, int64_t>{16, 8}, {128, 16}}) {
    const Cache c = cache(random({2000, R + Dr}), {600, 1400}, 16);
    const Pair q = random({2, 5, R}), q_rope = random({2, 5, Dr}), together = output({2, 5, R}),
               alone = output({1, 5, R});
    const Pair s = integers({2}, {0, 1}), p = integers({2}, {599, 1399});
    LatentAttention a{.out = together.target,
                      .q_latent = q.target,
                      .q_rope = q_rope.target,
                      .pages = c.pages.target,
                      .block_table = c.block_table.target,
                      .sequence = s.target,
                      .positions = p.target,
                      .scale = 0.2};
    latent_attention(device_, a);
    Device single = device_of(GetParam().backend, 1);
    a.out = alone.target, a.q_latent = q.target.slice(1, 1), a.q_rope = q_rope.target.slice(1, 1);
    a.sequence = s.target.slice(1, 1), a.positions = p.target.slice(1, 1);
    latent_attention(single, a);
    EXPECT_EQ(relative_error(alone.target, together.target.slice(1, 1)), 0);
  }
}

TEST_P(LatentAttentionTest, NamesTheFieldThatIsWrong) {
  const Pair latent = random({9, 12});
  const Cache c = cache(latent, {9}, 3);
  const Pair q = random({1, 2, 8}), q_rope = random({1, 2, 4}), out = output({1, 2, 8});
  const Pair zero = integers({1}, {0}), one = integers({1}, {1}), minus = integers({1}, {-1});
  const Pair eight = integers({1}, {8}), nine = integers({1}, {9}), far = integers({1}, {99});
  const auto refuses = [&](const char* words, auto change) {
    LatentAttention a{.out = out.target,
                      .q_latent = q.target,
                      .q_rope = q_rope.target,
                      .pages = c.pages.target,
                      .block_table = c.block_table.target,
                      .sequence = zero.target,
                      .positions = eight.target,
                      .scale = 1};
    latent_attention(device_, a);
    change(a);
    EXPECT_THAT([&] { latent_attention(device_, a); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr(words)));
  };
  refuses("out", [](auto& a) { a.out = a.out.columns(0, 7); });
  refuses("q_rope", [](auto& a) { a.q_rope = {}; });
  refuses("pages", [](auto& a) { a.q_rope = a.q_rope.columns(0, 3); });
  if (!device_.on_host()) return;  // there they are trusted
  refuses("sequence[0] is 1", [&](auto& a) { a.sequence = one.target; });
  refuses("positions[0] is -1", [&](auto& a) { a.positions = minus.target; });
  refuses("block_table[0, 3]", [&](auto& a) { a.positions = nine.target; });
  refuses("sequence 0 has 100 tokens", [&](auto& a) { a.positions = far.target; });
}

}  // namespace
}  // namespace fathom::testing
