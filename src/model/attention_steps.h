// What the two forms of attention, mla.cpp and gqa.cpp, do alike.
#pragma once
#include "model/activations.h"
#include "model/pass.h"

namespace fathom {

// View of a [N, H, W] tensor as [N, H*W].
inline Tensor flat(const Tensor& t) {
  return t.reshape({t.shape[0], t.shape[1] * t.shape[2]});
}

// Stores the batch's rows [N, cache_width] in the pages of a layer.
void write_cache(const Pass& pass, int64_t layer, const Tensor& rows);

// After a chunk of keys was attended to: brings its outputs together with those of the chunks before.
void merge_chunk(const Pass& pass, const AttentionActivations& a, bool first, bool last);

// Attention over the cache, chunk by chunk: attend(chunk, last) makes a.out and a.lse. All queries see all
// keys of a chunk but those of the last, which holds their own.
template <class Attend>
void for_each_chunk(const Pass& p, const AttentionActivations& a, const Attend& attend) {
  const std::vector<KeyChunk>& chunks = p.batch.chunks;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const bool last = i + 1 == chunks.size();
    attend(chunks[i], last);
    if (chunks.size() > 1) merge_chunk(p, a, i == 0, last);
  }
}

// With deferred weight gradients: each gradient takes the place of what it is the gradient of, whose memory
// then serves the next layer.
void keep_gradients(AttentionActivations& a, AttentionGradients& d);

}  // namespace fathom
