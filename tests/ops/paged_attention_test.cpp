#include "ops/paged_attention.h"

#include <gmock/gmock.h>

#include "ops/attention.h"
#include "paged_cache.h"

namespace fathom::testing {
namespace {

struct Heads {
  int64_t H, G, Dk, Dv;
};

class PagedAttentionTest : public PagedCacheTest {
 protected:
  // Queries (sequence, position) over sequences of the given lengths.
  void expect_attention(const Heads& s, int64_t page, const std::vector<int32_t>& lengths,
                        const std::vector<int32_t>& sequence, const std::vector<int32_t>& positions) {
    int64_t M = 0;
    for (int64_t length : lengths) M += length;
    const auto N = static_cast<int64_t>(sequence.size());
    const Cache c = cache(random({M, s.G * (s.Dk + s.Dv)}), lengths, page);
    const Pair q = random({N, s.H, s.Dk}), out = output({N, s.H, s.Dv}), b = integers({N}, sequence),
               p = integers({N}, positions);
    run(paged_attention, [&](auto pick) {
      return PagedAttention{.out = pick(out),
                            .q = pick(q),
                            .pages = pick(c.pages),
                            .block_table = pick(c.block_table),
                            .sequence = pick(b),
                            .positions = pick(p),
                            .scale = 1.2 / std::sqrt(static_cast<double>(s.Dk))};
    });
    expect_close("out", out);
  }
};
FATHOM_OP_TEST(PagedAttentionTest);

TEST_P(PagedAttentionTest, DecodesAtTheEndOfEachSequence) {
  for (int64_t page : {1, 3, 16})
    expect_attention({6, 2, 24, 16}, page, {1, 2, 63, 64, 65, 130}, {0, 1, 2, 3, 4, 5},
                     {0, 1, 62, 63, 64, 129});
}

// Head sizes that have kernels of their own on a GPU, from multi-head to multi-query attention, with contexts
// of one split and of many.
TEST_P(PagedAttentionTest, HeadsOfTheModels) {
  const std::vector<Heads> few = {{4, 4, 128, 128}, {6, 2, 64, 64}},  // a CPU has one kernel
      all = {{8, 8, 128, 128}, {16, 4, 128, 128}, {20, 1, 128, 128}, {32, 8, 128, 128},
             {8, 2, 64, 64},   {4, 4, 32, 32},    {64, 8, 128, 128}};
  for (const Heads& s : device_.on_host() ? few : all)
    expect_attention(s, 16, {1, 64, 65, 300}, {0, 1, 2, 3, 3}, {0, 63, 64, 299, 100});
  expect_attention({4, 2, 32, 32}, 64, {70, 5000}, {0, 1}, {69, 4999});
  if (!device_.on_host()) expect_attention({64, 8, 128, 128}, 64, {70, 9000}, {0, 1}, {69, 8999});
}

// Groups that fill the tiles of a GPU's kernel to different degrees, and contexts around the ends of its
// steps of sixteen rows and its splits.
TEST_P(PagedAttentionTest, GroupsOfEverySize) {
  const std::vector<int32_t> lengths = {1, 15, 16, 17, 255, 256, 257, 1500},
                             order = {7, 0, 3, 1, 2, 6, 5, 4, 7, 7};
  std::vector<int32_t> positions;
  for (int32_t b : order) positions.push_back(lengths[b] - 1);
  positions[8] = 1023, positions[9] = 0;
  const std::vector<Heads> few = {{10, 2, 32, 32}, {17, 1, 64, 64}},  // a CPU has one kernel
      all = {{2, 2, 32, 32},  {10, 2, 32, 32}, {17, 1, 32, 32},   {50, 2, 32, 32},   {9, 1, 64, 64},
             {24, 1, 64, 64}, {66, 2, 64, 64}, {12, 1, 128, 128}, {34, 2, 128, 128}, {25, 1, 128, 128}};
  for (const Heads& s : device_.on_host() ? few : all)
    for (int64_t page : {7, 64}) expect_attention(s, page, lengths, order, positions);
}

TEST_P(PagedAttentionTest, OddSizes) {
  expect_attention({1, 1, 5, 3}, 3, {20}, {0}, {19});
  expect_attention({34, 2, 33, 7}, 3, {70}, {0}, {69});
  expect_attention({40, 40, 9, 2}, 3, {30}, {0}, {29});
}

// Several queries of one sequence, at any positions.
TEST_P(PagedAttentionTest, QueriesInTheMiddle) {
  expect_attention({4, 2, 24, 24}, 16, {100, 7}, {0, 0, 0, 0, 1, 1}, {99, 96, 97, 0, 6, 3});
}

TEST_P(PagedAttentionTest, MoreQueriesThanAreTakenAtOnce) {
  std::vector<int32_t> sequence(1100, 0), positions;
  for (int32_t i = 0; i < 1100; ++i) positions.push_back(i % 70);
  expect_attention({2, 1, 8, 8}, 64, {70}, sequence, positions);
}

// The same mathematics as attention to the same keys and values without a cache.
TEST_P(PagedAttentionTest, EqualsAttention) {
  const int64_t T = 75, H = 6, G = 3, D = 16;
  const Pair kv = random({T, G * 2 * D}), q = random({T, H, D}), starts = integers({2}, {0, T});
  const Pair whole = output({T, H, D}), paged = output({T, H, D});
  const Cache c = cache(kv, {T}, 8);
  std::vector<int32_t> at;
  for (int32_t t = 0; t < T; ++t) at.push_back(t);
  const Pair sequence = integers({T}, std::vector<int32_t>(T, 0)), positions = integers({T}, at);
  attention_forward(device_, {.out = whole.target,
                              .q = q.target,
                              .kv = kv.target.reshape({T, G, 2 * D}),
                              .q_starts = starts.target,
                              .kv_starts = starts.target,
                              .scale = 0.3});
  paged_attention(device_, {.out = paged.target,
                            .q = q.target,
                            .pages = c.pages.target,
                            .block_table = c.block_table.target,
                            .sequence = sequence.target,
                            .positions = positions.target,
                            .scale = 0.3});
  for (int64_t t = 0; t < T; ++t)
    EXPECT_LE(relative_error(paged.target.slice(t, 1), whole.target.slice(t, 1)), 2 * tolerance(any())) << t;
}

TEST_P(PagedAttentionTest, BatchAndThreadsDoNotChangeBits) {
  const Cache c = cache(random({2000, 48}), {600, 1400}, 16);
  const Pair q = random({2, 6, 8}), together = output({2, 6, 8}), alone = output({1, 6, 8});
  const Pair s = integers({2}, {0, 1}), p = integers({2}, {599, 1399});
  PagedAttention a{.out = together.target,
                   .q = q.target,
                   .pages = c.pages.target,
                   .block_table = c.block_table.target,
                   .sequence = s.target,
                   .positions = p.target,
                   .scale = 0.2};
  paged_attention(device_, a);
  Device single = device_of(GetParam().backend, 1);
  a.out = alone.target, a.q = q.target.slice(1, 1);
  a.sequence = s.target.slice(1, 1), a.positions = p.target.slice(1, 1);
  paged_attention(single, a);
  EXPECT_EQ(relative_error(alone.target, together.target.slice(1, 1)), 0);
}

TEST_P(PagedAttentionTest, NamesTheFieldThatIsWrong) {
  const Cache c = cache(random({9, 32}), {9}, 3);
  const Pair q = random({1, 4, 8}), out = output({1, 4, 8});
  const Pair zero = integers({1}, {0}), one = integers({1}, {1}), minus = integers({1}, {-1});
  const Pair eight = integers({1}, {8}), nine = integers({1}, {9}), far = integers({1}, {99});
  const auto refuses = [&](const char* words, auto change) {
    PagedAttention a{.out = out.target,
                     .q = q.target,
                     .pages = c.pages.target,
                     .block_table = c.block_table.target,
                     .sequence = zero.target,
                     .positions = eight.target,
                     .scale = 1};
    paged_attention(device_, a);
    change(a);
    EXPECT_THAT([&] { paged_attention(device_, a); },
                ::testing::ThrowsMessage<Error>(::testing::HasSubstr(words)));
  };
  refuses("paged_attention out", [](auto& a) { a.out = a.out.slice(0, 0); });
  refuses("pages are 32 columns wide", [](auto& a) { a.q = a.q.columns(0, 7); });
  refuses("pages are 32 columns wide", [](auto& a) {
    a.q = Tensor(a.q.data, a.q.dtype, {1, 1, 8}), a.out = Tensor(a.out.data, a.out.dtype, {1, 1, 8});
  });
  if (!device_.on_host()) return;  // there they are trusted
  refuses("sequence[0] is 1", [&](auto& a) { a.sequence = one.target; });
  refuses("positions[0] is -1", [&](auto& a) { a.positions = minus.target; });
  refuses("block_table[0, 3]", [&](auto& a) { a.positions = nine.target; });
  refuses("sequence 0 has 100 tokens", [&](auto& a) { a.positions = far.target; });
}

}  // namespace
}  // namespace fathom::testing
