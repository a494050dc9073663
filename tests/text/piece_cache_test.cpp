#include "text/piece_cache.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace fathom {
namespace {

TEST(PieceCache, KeysAreEqualForEqualPiecesOnly) {
  std::set<PieceCache::Key> keys;
  size_t pieces = 0;
  for (size_t n = 0; n <= PieceCache::max_bytes; ++n) {
    // Zero bytes at the end, and each byte changed.
    std::set<std::string> different = {std::string(n, '\0'), std::string(n, 'a'), std::string(n, '\xff')};
    for (size_t i = 0; i < n; ++i) {
      std::string one(n, 'a');
      one[i] = 'b';
      different.insert(one);
    }
    for (const std::string& piece : different) {
      const std::string copy = piece;  // at another address, with nothing behind it
      EXPECT_EQ(PieceCache::key_of(piece), PieceCache::key_of(copy));
      EXPECT_EQ(PieceCache::piece_of(PieceCache::key_of(piece)), piece);
      keys.insert(PieceCache::key_of(piece));
      ++pieces;
    }
  }
  EXPECT_EQ(keys.size(), pieces);
}

TEST(PieceCache, FindsWhatWasStoredLast) {
  PieceCache cache;
  const auto key = [](int i) { return PieceCache::key_of("piece " + std::to_string(i)); };
  EXPECT_EQ(cache.find(PieceCache::key_of("a")), nullptr);
  constexpr int n = 300'000;  // more than it holds
  for (int i = 0; i < n; ++i) {
    cache.store(key(i), std::vector<int32_t>{i, -i});
    const PieceCache::Entry* entry = cache.find(key(i));
    ASSERT_TRUE(entry && entry->count == 2 && entry->ids[0] == i && entry->ids[1] == -i) << i;
  }
  int held = 0;
  for (int i = 0; i < n; ++i) {
    const PieceCache::Entry* entry = cache.find(key(i));
    held += entry != nullptr;
    if (entry) {
      ASSERT_EQ(entry->ids[0], i);
    }
  }
  EXPECT_GT(held, n / 4);
  EXPECT_LT(held, n);
  cache.store(key(-1), std::vector<int32_t>(PieceCache::max_ids + 1));
  EXPECT_EQ(cache.find(key(-1)), nullptr);
}

}  // namespace
}  // namespace fathom
