// Expanded attention over a long cached prefix takes its keys in chunks, one after another, so that the
// memory of expanded keys and values is bounded. Which keys are in which chunk is decided here, on the host.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Keys first[b] .. first[b] + starts[b+1] - starts[b] - 1 of each sequence b; a sequence may have none.
struct HostKeyChunk {
  std::vector<int32_t> first;   // [B]
  std::vector<int32_t> starts;  // [B+1], prefix sums of the numbers of keys
};

// Cuts the keys of sequences with these numbers of new tokens and whole lengths into as few chunks of at most
// `most` keys as possible. Chunks hold keys of the prefixes, in order, which all new tokens see; only the
// last one holds the new tokens too, with as many prefix keys before them as fit. `most` is at least the sum
// of the new tokens.
std::vector<HostKeyChunk> cut_keys(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                                   int64_t most);

}  // namespace fathom
