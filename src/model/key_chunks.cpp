#include "model/key_chunks.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace fathom {

std::vector<HostKeyChunk> cut_keys(std::span<const int32_t> new_tokens, std::span<const int32_t> lengths,
                                   int64_t most) {
  const size_t B = new_tokens.size();
  const int64_t tokens = std::accumulate(new_tokens.begin(), new_tokens.end(), int64_t{0});
  const int64_t keys = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  assert(tokens <= most);
  std::vector<HostKeyChunk> chunks;
  // The prefixes, one after another, are one row of keys: a chunk is a range of it.
  const int64_t prefixes = keys - tokens, before_last = std::max<int64_t>(keys - most, 0);
  for (int64_t begin = 0; begin <= before_last;) {
    const bool last = begin == before_last;
    const int64_t end = last ? prefixes : std::min(begin + most, before_last);
    HostKeyChunk chunk{{}, {0}};
    int64_t at = 0;  // where the sequence's prefix begins in the row
    for (size_t b = 0; b < B; ++b) {
      const int64_t prefix = lengths[b] - new_tokens[b];
      const int64_t first = std::clamp<int64_t>(begin - at, 0, prefix);
      const int64_t past = last ? lengths[b] : std::clamp<int64_t>(end - at, 0, prefix);
      chunk.first.push_back(static_cast<int32_t>(first));
      chunk.starts.push_back(chunk.starts.back() + static_cast<int32_t>(past - first));
      at += prefix;
    }
    chunks.push_back(std::move(chunk));
    if (last) break;
    begin = end;
  }
  return chunks;
}

}  // namespace fathom
