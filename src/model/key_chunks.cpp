#include "model/key_chunks.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace fathom {
namespace {

// A chunk more is one more attention and one more merge of all queries: per query about as much as to expand
// this many keys.
constexpr int64_t keys_per_query = 2;

// Keys from[b] .. to[b] - 1 of the sequences, one after another, are one row, of which a chunk is a range
// [begin, end).
struct Row {
  std::span<const int32_t> from, to;  // [B]

  int64_t keys() const {
    return std::accumulate(to.begin(), to.end(), int64_t{0}) -
           std::accumulate(from.begin(), from.end(), int64_t{0});
  }
  // With `own`: what each sequence has besides, behind its part of the row.
  HostKeyChunk chunk(int64_t begin, int64_t end, std::span<const int32_t> own,
                     const std::vector<int32_t>& queries) const {
    HostKeyChunk chunk{{}, {0}, queries};
    int64_t at = 0;  // where the sequence's part of the row begins
    for (size_t b = 0; b < from.size(); ++b) {
      const int64_t part = to[b] - from[b];
      const int64_t first = std::clamp<int64_t>(begin - at, 0, part),
                    past = std::clamp<int64_t>(end - at, 0, part) + (own.empty() ? 0 : own[b]);
      chunk.first.push_back(from[b] + static_cast<int32_t>(first));
      chunk.starts.push_back(chunk.starts.back() + static_cast<int32_t>(past - first));
      at += part;
    }
    return chunk;
  }
};

std::vector<int32_t> prefix_sums(std::span<const int32_t> counts) {
  std::vector<int32_t> sums = {0};
  for (const int32_t n : counts) sums.push_back(sums.back() + n);
  return sums;
}

}  // namespace

SharedPrefixes shared_prefixes(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                               std::span<const int32_t> common) {
  const size_t B = new_tokens.size();
  SharedPrefixes shared;
  int64_t saved = 0;
  for (size_t b = 0, leader = 0; b < B; ++b) {
    shared.leader.push_back(static_cast<int32_t>(b)), shared.keys.push_back(0);
    if (b == 0) continue;
    const int32_t before = shared.keys[leader],
                  both = std::min({common[b], lengths[b] - new_tokens[b], lengths[b - 1] - new_tokens[b - 1],
                                   before > 0 ? before : common[b]});
    // One that shares much less would take the longer prefix from those before it.
    if (both <= 0 || 2 * both < before) {
      leader = b;
      continue;
    }
    const auto members = static_cast<int64_t>(b - leader);
    saved += both + (members - 1) * (both - before);
    shared.leader[b] = static_cast<int32_t>(leader);
    for (size_t i = leader; i <= b; ++i) shared.keys[i] = both;
  }
  const int64_t queries = std::accumulate(new_tokens.begin(), new_tokens.end(), int64_t{0});
  if (saved >= keys_per_query * queries) return shared;
  std::iota(shared.leader.begin(), shared.leader.end(), 0);
  std::fill(shared.keys.begin(), shared.keys.end(), 0);
  return shared;
}

std::vector<HostKeyChunk> cut_keys(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                                   int64_t most, const SharedPrefixes& shared) {
  const size_t B = new_tokens.size();
  std::vector<HostKeyChunk> chunks;
  std::vector<int32_t> shared_keys(B, 0), prefixes(B), none(B, 0);
  for (size_t b = 0; b < B; ++b) prefixes[b] = lengths[b] - new_tokens[b];
  if (!shared.keys.empty()) {
    std::copy(shared.keys.begin(), shared.keys.end(), shared_keys.begin());
    // The leaders' keys, for the queries of all behind them.
    std::vector<int32_t> of_leaders(B, 0), seen(B, 0);
    for (size_t b = 0; b < B; ++b) {
      const auto leader = static_cast<size_t>(shared.leader[b]);
      if (leader == b) of_leaders[b] = shared_keys[b];
      seen[leader] += new_tokens[b];
    }
    const Row row{none, of_leaders};
    for (int64_t begin = 0; begin < row.keys(); begin += most)
      chunks.push_back(row.chunk(begin, begin + most, {}, prefix_sums(seen)));
  }
  const int64_t tokens = std::accumulate(new_tokens.begin(), new_tokens.end(), int64_t{0});
  assert(tokens <= most);
  const Row row{shared_keys, prefixes};
  const int64_t before_last = std::max<int64_t>(row.keys() + tokens - most, 0);
  const std::vector<int32_t> own = prefix_sums(new_tokens);
  for (int64_t begin = 0; begin < before_last; begin += most)
    chunks.push_back(row.chunk(begin, std::min(begin + most, before_last), {}, own));
  chunks.push_back(row.chunk(before_last, row.keys(), new_tokens, own));
  return chunks;
}

}  // namespace fathom
