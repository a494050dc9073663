#include "model/key_chunks.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/rng.h"

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

// Every query sees every key of its sequence's prefix once, be it in its own part or in its leader's, and only the
// last chunk has new tokens.
void expect_shared_cut(const Ints& new_tokens, const Ints& lengths, const SharedPrefixes& shared, int64_t most) {
  const std::vector<HostKeyChunk> chunks = cut_keys(new_tokens, lengths, most, shared);
  const size_t B = lengths.size();
  std::vector<std::vector<int>> seen(B);
  for (size_t b = 0; b < B; ++b) seen[b].resize(static_cast<size_t>(lengths[b]));
  for (const HostKeyChunk& chunk : chunks) {
    EXPECT_LE(chunk.starts.back(), most);
    ASSERT_EQ(chunk.queries.size(), B + 1);
    EXPECT_EQ(chunk.queries.back(), total(new_tokens));
    int32_t first_query = 0;
    for (size_t b = 0; b < B; first_query += new_tokens[b++])
      for (size_t s = 0; s < B; ++s) {
        const bool all = chunk.queries[s] <= first_query && first_query + new_tokens[b] <= chunk.queries[s + 1];
        EXPECT_TRUE(all || new_tokens[b] == 0 || chunk.queries[s] >= first_query + new_tokens[b] ||
                    chunk.queries[s + 1] <= first_query);
        if (!all || new_tokens[b] == 0 || (s != b && shared.leader[b] != static_cast<int32_t>(s))) continue;
        const int32_t keys = chunk.starts[s + 1] - chunk.starts[s];
        for (int32_t k = 0; k < keys; ++k) {
          const auto key = static_cast<size_t>(chunk.first[s] + k);
          EXPECT_TRUE(s == b || static_cast<int32_t>(key) < shared.keys[b]);
          ++seen[b][key];
        }
      }
  }
  for (size_t b = 0; b < B; ++b)
    if (new_tokens[b] > 0) {
      EXPECT_EQ(seen[b], std::vector<int>(static_cast<size_t>(lengths[b]), 1)) << b << " of chunks of " << most;
    }
}

TEST(KeyChunks, ASharedPrefixIsExpandedOnce) {
  const Ints tokens = {4, 5, 6, 7}, lengths = {104, 105, 96, 30};
  const SharedPrefixes shared = shared_prefixes(tokens, lengths, Ints{0, 96, 90, 8});
  EXPECT_EQ(shared.leader, (Ints{0, 0, 0, 3}));
  EXPECT_EQ(shared.keys, (Ints{90, 90, 90, 0}));
  const auto chunks = cut_keys(tokens, lengths, 200, shared);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].starts, (Ints{0, 90, 90, 90, 90}));
  EXPECT_EQ(chunks[0].queries, (Ints{0, 15, 15, 15, 22}));
  EXPECT_EQ(chunks[1].first, (Ints{90, 90, 90, 0}));
  EXPECT_EQ(chunks[1].starts, (Ints{0, 14, 29, 35, 65}));
  EXPECT_EQ(chunks[1].queries, (Ints{0, 4, 9, 15, 22}));
  for (const int64_t most : {22, 23, 50, 100, 200}) expect_shared_cut(tokens, lengths, shared, most);
}

TEST(KeyChunks, APrefixIsSharedWhereThatPays) {
  // 20 keys saved for 15 queries; and for 5.
  EXPECT_EQ(shared_prefixes(Ints{7, 8}, Ints{40, 40}, Ints{0, 20}).keys, (Ints{0, 0}));
  EXPECT_EQ(shared_prefixes(Ints{2, 3}, Ints{40, 40}, Ints{0, 20}).keys, (Ints{20, 20}));
  // Only what is cached for both.
  EXPECT_EQ(shared_prefixes(Ints{2, 3}, Ints{14, 40}, Ints{0, 20}).keys, (Ints{12, 12}));
  // One that shares less than half begins with its own neighbours.
  EXPECT_EQ(shared_prefixes(Ints{1, 1, 1, 1}, Ints{80, 80, 80, 80}, Ints{0, 64, 16, 48}).leader, (Ints{0, 0, 2, 2}));
}

TEST(KeyChunks, AnySharingShowsEveryKeyOnce) {
  Rng rng(7);
  for (int trial = 0; trial < 200; ++trial) {
    const size_t B = 1 + rng.below(8);
    Ints tokens, lengths, common;
    for (size_t b = 0; b < B; ++b) {
      tokens.push_back(static_cast<int32_t>(rng.below(6)));
      lengths.push_back(tokens[b] + static_cast<int32_t>(rng.below(60)));
      common.push_back(static_cast<int32_t>(rng.below(70)));
    }
    const int64_t most = total(tokens) + 1 + static_cast<int64_t>(rng.below(80));
    expect_shared_cut(tokens, lengths, shared_prefixes(tokens, lengths, common), most);
  }
}

TEST(KeyChunks, NoSequences) {
  expect_cut({}, {}, 5);
}

}  // namespace
}  // namespace fathom::testing
