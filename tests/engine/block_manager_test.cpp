// Pages of the cache: allocated, freed, shared by sequences that start alike.
#include "engine/block_manager.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace fathom {
namespace {

Sequence sequence_of(std::vector<int32_t> tokens) {
  Sequence s;
  s.tokens = std::move(tokens);
  s.prompt_length = s.length();
  return s;
}

Sequence counting(int64_t length, int32_t first = 0) {
  std::vector<int32_t> tokens(length);
  std::iota(tokens.begin(), tokens.end(), first);
  return sequence_of(tokens);
}

void run(BlockManager& blocks, Sequence& s) {
  ASSERT_TRUE(blocks.reserve(s, s.length()));
  const int64_t before = s.cached;
  s.cached = s.length();
  blocks.publish(s, before);
}

TEST(BlockManager, ReservesWholePagesOrNothing) {
  BlockManager blocks(5, 4);
  Sequence a = counting(9), b = counting(9, 100);
  EXPECT_TRUE(blocks.reserve(a, 9));
  EXPECT_EQ(a.pages.size(), 3u);
  EXPECT_TRUE(blocks.reserve(a, 12)) << "the last page has room";
  EXPECT_EQ(a.pages.size(), 3u);
  EXPECT_FALSE(blocks.reserve(b, 9));
  EXPECT_TRUE(b.pages.empty());
  EXPECT_EQ(blocks.free_pages(), 2);
  EXPECT_TRUE(blocks.reserve(b, 8));
  std::set<int32_t> distinct(a.pages.begin(), a.pages.end());
  distinct.insert(b.pages.begin(), b.pages.end());
  EXPECT_EQ(distinct.size(), 5u);
  a.cached = 9;
  blocks.release(a);
  EXPECT_EQ(blocks.free_pages(), 3);
  EXPECT_EQ(a.cached, 0);
  EXPECT_TRUE(a.pages.empty());
}

TEST(BlockManager, SharesFullPagesOfTheSameBeginning) {
  BlockManager blocks(10, 4);
  Sequence a = counting(10), b = counting(10);
  b.tokens[9] = 77;
  run(blocks, a);
  blocks.attach_prefix(b);
  EXPECT_EQ(b.cached, 8);
  EXPECT_EQ(b.pages, std::vector<int32_t>(a.pages.begin(), a.pages.begin() + 2));
  run(blocks, b);
  EXPECT_EQ(blocks.free_pages(), 6);
  blocks.release(a);
  EXPECT_EQ(blocks.free_pages(), 7) << "b still holds the shared pages";
  blocks.release(b);
  EXPECT_EQ(blocks.free_pages(), 10);
}

TEST(BlockManager, LeavesATokenToRun) {
  BlockManager blocks(10, 4);
  Sequence a = counting(8), b = counting(8);
  run(blocks, a);
  blocks.attach_prefix(b);
  EXPECT_EQ(b.cached, 4);
}

TEST(BlockManager, TheSameTokensAfterOthersAreNotShared) {
  BlockManager blocks(10, 2);
  Sequence a = sequence_of({1, 2, 3, 4, 9}), b = sequence_of({5, 6, 3, 4, 9});
  run(blocks, a);
  run(blocks, b);
  Sequence c = sequence_of({5, 6, 3, 4, 9});
  blocks.attach_prefix(c);
  EXPECT_EQ(c.cached, 4);
  EXPECT_EQ(c.pages[1], b.pages[1]);
  Sequence d = sequence_of({3, 4, 3, 4, 9});
  blocks.attach_prefix(d);
  EXPECT_EQ(d.cached, 0);
}

TEST(BlockManager, FreedPagesAreSharedUntilReused) {
  BlockManager blocks(4, 4);
  Sequence a = counting(13);
  run(blocks, a);
  blocks.release(a);
  Sequence other = counting(4, 50);
  ASSERT_TRUE(blocks.reserve(other, 4));  // takes a's last page
  Sequence b = counting(13);
  blocks.attach_prefix(b);
  EXPECT_EQ(b.cached, 12);
  blocks.release(b);
  ASSERT_TRUE(blocks.reserve(other, 8));  // and now its third
  blocks.attach_prefix(b);
  EXPECT_EQ(b.cached, 8);
}

TEST(BlockManager, TwoThatRanAtOnceAndThirdPartiesAgree) {
  BlockManager blocks(12, 2);
  Sequence a = counting(5), b = counting(5);
  ASSERT_TRUE(blocks.reserve(a, 5) && blocks.reserve(b, 5));
  a.cached = b.cached = 2;
  blocks.publish(a, 0), blocks.publish(b, 0);
  blocks.release(a);  // b's first page is only a copy of what was a's
  Sequence fill = counting(18, 50);
  ASSERT_TRUE(blocks.reserve(fill, 18));
  b.cached = 4;
  blocks.publish(b, 2);
  Sequence c = counting(5);
  blocks.attach_prefix(c);
  EXPECT_EQ(c.cached, 0);
  blocks.release(fill);
  run(blocks, c);
}

TEST(BlockManager, NothingIsSharedAfterClearingOrWhenSwitchedOff) {
  BlockManager blocks(10, 4), unshared(10, 4, /*share_prefixes=*/false);
  for (BlockManager* m : {&blocks, &unshared}) {
    Sequence a = counting(9), b = counting(9);
    run(*m, a);
    m->clear_prefix_cache();
    m->attach_prefix(b);
    EXPECT_EQ(b.cached, 0);
    run(*m, b);
  }
}

}  // namespace
}  // namespace fathom
