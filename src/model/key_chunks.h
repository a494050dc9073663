// Expanded attention over a cached prefix takes its keys in chunks, one after another, so that the memory of
// expanded keys and values is bounded, and so that a prefix that several sequences share is expanded once for
// all of them. Which keys are in which chunk is decided here, on the host.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Keys first[b] .. first[b] + starts[b+1] - starts[b] - 1 of each sequence b; a sequence may have none. They are
// seen by queries queries[b] .. queries[b+1] - 1 of the batch: the sequence's own, or those of all sequences that
// share these keys, which then have no queries of their own in this chunk.
struct HostKeyChunk {
  std::vector<int32_t> first;    // [B]
  std::vector<int32_t> starts;   // [B+1], prefix sums of the numbers of keys
  std::vector<int32_t> queries;  // [B+1], prefix sums
};

// Of each sequence: the neighbour whose first keys are its own too, and how many. One that shares nothing is its
// own leader, with 0 keys; a leader of others has as many as they.
struct SharedPrefixes {
  std::vector<int32_t> leader, keys;
};

// `common[b]`: keys at the beginning of sequence b that lie where those of sequence b - 1 do. Neighbours are
// joined where that saves more than a chunk more costs; else nobody is.
SharedPrefixes shared_prefixes(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                               std::span<const int32_t> common);

// Cuts the keys of sequences with these numbers of new tokens and whole lengths into chunks of at most `most`
// keys: first what is shared, if anything, then all else, both in as few as possible. Chunks hold keys of the
// prefixes, in order, which all new tokens see; only the last one holds the new tokens too, with as many prefix
// keys before them as fit. `most` is at least the sum of the new tokens.
std::vector<HostKeyChunk> cut_keys(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                                   int64_t most, const SharedPrefixes& shared = {});

}  // namespace fathom
