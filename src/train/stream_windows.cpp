#include "train/stream_windows.h"

#include <algorithm>

#include "ops/cross_entropy.h"

namespace fathom {
namespace {

// Whether a token is the last one of its document; its pair with the next one is then not learnt from.
bool ends_document(const Packing& packing, const TokenVocabulary& vocabulary, int32_t token, int32_t next) {
  return packing.document_mask && (token == vocabulary.eos || next == vocabulary.bos);
}

}  // namespace

void StreamWindows::pack(std::span<const int64_t> places, PackedBatch& out) const {
  const int64_t T = packing_.sequence_length, N = T * static_cast<int64_t>(places.size());
  const TokenVocabulary& vocabulary = shards_.vocabulary();
  HostBatch& batch = out.batch;
  for (auto* part : {&batch.tokens, &batch.positions, &out.targets}) part->resize(static_cast<size_t>(N));
  batch.sequence_starts.clear();
  batch.exempt.assign(places.size(), 0);
  out.counted = 0;
  std::vector<int32_t> window(static_cast<size_t>(T + 1));
  for (size_t w = 0; w < places.size(); ++w) {
    shards_.copy(places[w], T + 1, window.data());
    const auto first = static_cast<int64_t>(w) * T;
    std::copy_n(window.data(), T, batch.tokens.data() + first);
    int32_t position = 0;
    batch.sequence_starts.push_back(static_cast<int32_t>(first));
    for (int64_t t = 0; t < T; ++t) {
      batch.positions[first + t] = position++;
      const int32_t next = window[t + 1];
      const bool last_of_document = ends_document(packing_, vocabulary, window[t], next);
      out.targets[first + t] = last_of_document ? CrossEntropy::ignore : next;
      out.counted += !last_of_document;
      if (!last_of_document || t + 1 == T) continue;
      batch.sequence_starts.push_back(static_cast<int32_t>(first + t + 1));
      position = 0;
    }
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(N));
  out.weight = static_cast<double>(out.counted);
}

WindowSize StreamWindows::size(int64_t place) const {
  const int64_t T = packing_.sequence_length;
  int64_t targets = T;
  if (packing_.document_mask) {
    std::vector<int32_t> tokens(static_cast<size_t>(T + 1));
    shards_.copy(place, T + 1, tokens.data());
    for (int64_t t = 0; t < T; ++t)
      targets -= ends_document(packing_, shards_.vocabulary(), tokens[t], tokens[t + 1]);
  }
  return {.tokens = T, .targets = targets, .weight = static_cast<double>(targets)};
}

}  // namespace fathom
