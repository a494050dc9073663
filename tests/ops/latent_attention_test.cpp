#include "ops/latent_attention.h"

#include <gmock/gmock.h>

#include "ops/attention.h"
#include "support/op_test.h"

namespace fathom::testing {
namespace {

// A paged cache of sequences of the given lengths. Pages are handed out in a shuffled order; every slot and
// every table entry that no sequence owns is poison: NaN, and ids that do not exist.
struct Cache {
  Pair pages, block_table;
  std::vector<int64_t> row_of;  // for token t of sequence b, the row of pages: row_of[starts[b] + t]
};

class LatentAttentionTest : public OpTest {
 protected:
  // Rows of `latent` are the tokens of all sequences, one after the other.
  Cache cache(const Pair& latent, const std::vector<int32_t>& lengths, int64_t page) {
    const int64_t width = latent.ref.cols(), B = static_cast<int64_t>(lengths.size());
    int64_t used = 0, longest = 0;
    for (int64_t length : lengths)
      used += (length + page - 1) / page, longest = std::max(longest, (length + page - 1) / page);
    const int64_t P = used + 3, max_pages = longest + 2;
    std::vector<int32_t> order(P), table(B * max_pages, -7);
    for (int64_t i = 0; i < P; ++i) order[i] = static_cast<int32_t>(i);
    for (int64_t i = P - 1; i > 0; --i) std::swap(order[i], order[rng_.below(i + 1)]);
    for (size_t i = 1; i < table.size(); i += 2) table[i] = 1 << 30;
    Cache c{.pages = output({P, page, width}), .block_table = {}, .row_of = {}};
    int64_t next = 0, token = 0;
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < lengths[b]; ++t, ++token) {
        if (t % page == 0) table[b * max_pages + t / page] = order[next++];
        c.row_of.push_back(table[b * max_pages + t / page] * page + t % page);
        copy_row(latent, token, c.pages, c.row_of.back());
      }
    c.block_table = integers({B, max_pages}, table);
    return c;
  }

  static void copy_row(const Pair& from, int64_t i, const Pair& to, int64_t j) {
    for (int64_t c = 0; c < from.ref.cols(); ++c) {
      to.ref.row<double>(j)[c] = from.ref.row<double>(i)[c];
      if (from.target.dtype == DType::f32)
        to.target.row<float>(j)[c] = from.target.row<float>(i)[c];
      else
        to.target.row<bf16>(j)[c] = from.target.row<bf16>(i)[c];
    }
  }

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

// Those of the models, in rows that begin where vectors do, with contexts of one part and of many.
TEST_P(LatentAttentionTest, HeadsOfTheModels) {
  expect_attention(16, 512, 64, 16, {1, 64, 65, 300}, {0, 1, 2, 3, 3}, {0, 63, 64, 299, 100}, 8);
  expect_attention(21, 512, 64, 16, {33}, {0}, {32}, 8);
  expect_attention(8, 128, 32, 64, {70, 5000}, {0, 1}, {69, 4999}, 16);
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

TEST_P(LatentAttentionTest, WriteAndRead) {
  const std::vector<int32_t> lengths = {5, 0, 33, 1};
  for (int64_t page : {1, 3, 16}) {
    const Pair latent = random({39, 12});
    Cache c = cache(latent, lengths, page);
    std::vector<int32_t> sequence, positions;
    for (int32_t b = 0; b < 4; ++b)
      for (int32_t t = 0; t < lengths[b]; ++t) sequence.push_back(b), positions.push_back(t);
    const Pair s = integers({39}, sequence), p = integers({39}, positions);
    const Pair fresh = random({39, 12}), starts = integers({5}, {0, 5, 5, 38, 39}), out = output({39, 12});
    run(latent_write, [&](auto pick) {
      return LatentWrite{.pages = pick(c.pages),
                         .latent = pick(fresh),
                         .block_table = pick(c.block_table),
                         .sequence = pick(s),
                         .positions = pick(p)};
    });
    run(latent_read, [&](auto pick) {
      return LatentRead{.out = pick(out),
                        .pages = pick(c.pages),
                        .block_table = pick(c.block_table),
                        .kv_starts = pick(starts)};
    });
    EXPECT_EQ(relative_error(out.ref, fresh.ref), 0);
    EXPECT_EQ(relative_error(out.target, fresh.target), 0);
    int64_t poison = 0;  // slots that no sequence owns were not touched
    for (int64_t r = 0; r < c.pages.target.rows(); ++r) poison += std::isnan(element(c.pages.target, r, 11));
    EXPECT_EQ(poison, c.pages.target.rows() - 39);
  }
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
                              .lse = {},
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

TEST_P(LatentAttentionTest, BatchAndThreadsDoNotChangeBits) {
  const Cache c = cache(random({2000, 24}), {600, 1400}, 16);
  const Pair q = random({2, 5, 16}), q_rope = random({2, 5, 8}), together = output({2, 5, 16}),
             alone = output({1, 5, 16});
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
  const Pair row = random({1, 12}), too_long = integers({2}, {0, 10});
  LatentWrite w{.pages = c.pages.target,
                .latent = row.target,
                .block_table = c.block_table.target,
                .sequence = zero.target,
                .positions = nine.target};
  EXPECT_THROW(latent_write(device_, w), Error);
  w.positions = far.target;
  EXPECT_THROW(latent_write(device_, w), Error);
  const Pair read = output({9, 12}), longer = output({10, 12});
  LatentRead r{.out = read.target,
               .pages = c.pages.target,
               .block_table = c.block_table.target,
               .kv_starts = too_long.target};
  EXPECT_THROW(latent_read(device_, r), Error);
  r.out = longer.target;  // the tenth token lies in a page that was never given
  EXPECT_THROW(latent_read(device_, r), Error);
}

}  // namespace
}  // namespace fathom::testing
