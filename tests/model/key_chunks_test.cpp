#include "model/key_chunks.h"

#include <gtest/gtest.h>

#include <numeric>

namespace fathom::testing {
namespace {

using Ints = std::vector<int32_t>;

int32_t total(const Ints& values) {
  return std::accumulate(values.begin(), values.end(), 0);
}

// Every key exactly once and in order, the new tokens in the last chunk, no chunk that another could take in.
void expect_cut(const Ints& new_tokens, const Ints& lengths, int64_t most) {
  const std::vector<HostKeyChunk> chunks = cut_keys(new_tokens, lengths, most);
  ASSERT_EQ(chunks.size(), static_cast<size_t>(std::max<int64_t>((total(lengths) + most - 1) / most, 1)));
  Ints next(lengths.size(), 0);
  for (const HostKeyChunk& chunk : chunks) {
    const bool last = &chunk == &chunks.back();
    ASSERT_EQ(chunk.first.size(), lengths.size());
    ASSERT_EQ(chunk.starts.size(), lengths.size() + 1);
    EXPECT_EQ(chunk.starts[0], 0);
    EXPECT_LE(chunk.starts.back(), most);
    for (size_t b = 0; b < lengths.size(); ++b) {
      const int32_t keys = chunk.starts[b + 1] - chunk.starts[b];
      EXPECT_GE(keys, last ? new_tokens[b] : 0);
      if (keys > 0) {
        EXPECT_EQ(chunk.first[b], next[b]);
      }
      next[b] += keys;
      if (!last) {
        EXPECT_LE(next[b], lengths[b] - new_tokens[b]);
      }
    }
  }
  EXPECT_EQ(next, lengths);
}

TEST(KeyChunks, OneChunkUpToTheLimit) {
  const auto chunks = cut_keys(Ints{3, 2}, Ints{10, 2}, 12);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_EQ(chunks[0].first, (Ints{0, 0}));
  EXPECT_EQ(chunks[0].starts, (Ints{0, 10, 12}));
}

TEST(KeyChunks, PastItPrefixesAreCut) {
  const auto chunks = cut_keys(Ints{2, 1}, Ints{9, 8}, 5);
  ASSERT_EQ(chunks.size(), 4u);
  EXPECT_EQ(chunks[0].first, (Ints{0, 0}));
  EXPECT_EQ(chunks[0].starts, (Ints{0, 5, 5}));
  EXPECT_EQ(chunks[1].first, (Ints{5, 0}));
  EXPECT_EQ(chunks[1].starts, (Ints{0, 2, 5}));
  EXPECT_EQ(chunks[3].first, (Ints{7, 5}));
  EXPECT_EQ(chunks[3].starts, (Ints{0, 2, 5}));
}

TEST(KeyChunks, EveryKeyOnce) {
  for (const int64_t most : {7, 8, 20, 100}) {
    expect_cut({7}, {7}, most);
    expect_cut({7}, {8}, most);
    expect_cut({1, 0, 3}, {64, 9, 3}, most);
    expect_cut({1, 2, 1, 3}, {1, 40, 33, 250}, most);
  }
  for (int32_t length = 95; length < 106; ++length) expect_cut({20}, {length}, 50);
}

TEST(KeyChunks, NoSequences) {
  expect_cut({}, {}, 5);
}

}  // namespace
}  // namespace fathom::testing
