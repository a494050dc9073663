#include "ops/latent_cache.h"

#include "paged_cache.h"

namespace fathom::testing {
namespace {

class LatentCacheTest : public PagedCacheTest {};
FATHOM_OP_TEST(LatentCacheTest);

TEST_P(LatentCacheTest, WriteAndRead) {
  const std::vector<int32_t> lengths = {5, 0, 33, 1};
  for (int64_t page : {1, 3, 16}) {
    const Pair latent = random({39, 12});
    Cache c = cache(latent, lengths, page);
    std::vector<int32_t> sequence, positions;
    for (int32_t b = 0; b < 4; ++b)
      for (int32_t t = 0; t < lengths[b]; ++t) sequence.push_back(b), positions.push_back(t);
    const Pair s = integers({39}, sequence), p = integers({39}, positions);
    const Pair fresh = random({39, 12}), starts = integers({5}, {0, 5, 5, 38, 39}), out = output({39, 12});
    run(latent_cache_write, [&](auto pick) {
      return LatentCacheWrite{.pages = pick(c.pages),
                              .latent = pick(fresh),
                              .block_table = pick(c.block_table),
                              .sequence = pick(s),
                              .positions = pick(p)};
    });
    run(latent_cache_read, [&](auto pick) {
      return LatentCacheRead{.out = pick(out),
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

// Parts of sequences, in pieces that begin and end anywhere in a page; pages before and behind them are not
// read.
TEST_P(LatentCacheTest, ReadsAPart) {
  const std::vector<int32_t> lengths = {5, 0, 33, 8};
  const Pair latent = random({46, 12});
  for (int64_t page : {1, 3, 16}) {
    const Cache c = cache(latent, lengths, page);
    const std::vector<int32_t> begins = {2, 0, 17, 8}, sizes = {3, 0, 15, 0}, rows = {0, 5, 5, 38};
    const Pair first = integers({4}, begins), starts = integers({5}, {0, 3, 3, 18, 18});
    const Pair out = output({18, 12});
    for (size_t b = 0; b < lengths.size(); ++b)
      for (int64_t i = 0; i < c.block_table.ref.cols(); ++i)
        if (sizes[b] == 0 || i < begins[b] / page || i > (begins[b] + sizes[b] - 1) / page)
          for (const Tensor& table : {c.block_table.ref, c.block_table.target})
            table.row<int32_t>(static_cast<int64_t>(b))[i] = 1 << 30;
    run(latent_cache_read, [&](auto pick) {
      return LatentCacheRead{.out = pick(out),
                             .pages = pick(c.pages),
                             .block_table = pick(c.block_table),
                             .first = pick(first),
                             .kv_starts = pick(starts)};
    });
    for (const bool target : {false, true}) {
      const Tensor got = target ? out.target : out.ref, want = target ? latent.target : latent.ref;
      EXPECT_EQ(relative_error(got.slice(0, 3), want.slice(rows[0] + 2, 3)), 0);
      EXPECT_EQ(relative_error(got.slice(3, 15), want.slice(rows[2] + 17, 15)), 0);
    }
  }
}

TEST_P(LatentCacheTest, NamesTheFieldThatIsWrong) {
  if (!device_.on_host()) GTEST_SKIP() << "a GPU trusts tables that the host cannot read";
  const Cache c = cache(random({9, 12}), {9}, 3);
  const Pair zero = integers({1}, {0}), nine = integers({1}, {9}), far = integers({1}, {99});
  const Pair row = random({1, 12}), too_long = integers({2}, {0, 10});
  LatentCacheWrite w{.pages = c.pages.target,
                     .latent = row.target,
                     .block_table = c.block_table.target,
                     .sequence = zero.target,
                     .positions = nine.target};
  EXPECT_THROW(latent_cache_write(device_, w), Error);
  w.positions = far.target;
  EXPECT_THROW(latent_cache_write(device_, w), Error);
  const Pair read = output({9, 12}), longer = output({10, 12});
  LatentCacheRead r{.out = read.target,
                    .pages = c.pages.target,
                    .block_table = c.block_table.target,
                    .kv_starts = too_long.target};
  EXPECT_THROW(latent_cache_read(device_, r), Error);
  r.out = longer.target;  // the tenth token lies in a page that was never given
  EXPECT_THROW(latent_cache_read(device_, r), Error);
  const Pair two = output({2, 12}), one = integers({1}, {8}), below = integers({1}, {-1});
  const Pair of_two = integers({2}, {0, 2});
  r.out = two.target, r.kv_starts = of_two.target, r.first = one.target;  // the tenth again
  EXPECT_THROW(latent_cache_read(device_, r), Error);
  r.first = below.target;
  EXPECT_THROW(latent_cache_read(device_, r), Error);
}

}  // namespace
}  // namespace fathom::testing
