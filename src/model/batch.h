// Batch: what one forward pass works on. Sequences lie packed one after another, N tokens in all. Training is
// a batch with no cache; serving adds the paged latent cache and where each sequence's pages are.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "model/config.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace fathom {

// The latent cache of all layers: per layer pages [P, page, Rkv+Dr] of rows [normed c_kv | rotated k_rope].
struct LatentCache {
  std::vector<Tensor> pages;  // [num_hidden_layers] of [P, page, Rkv+Dr]
};

// Allocates the pages from an arena (which may be a planning one).
LatentCache allocate_cache(const Config& config, Arena& arena, DType dtype, int64_t pages, int64_t page_size);

struct Batch {
  Tensor tokens;           // [N] i32
  Tensor positions;        // [N] i32, position of each token in its sequence
  Tensor sequence_starts;  // [B+1] i32, the tokens of sequence b are starts[b] .. starts[b+1]-1

  // With a cache only. This batch's tokens are the last ones of their sequences.
  const LatentCache* cache = nullptr;
  Tensor block_table;     // [B, max_pages] i32, token t of a sequence is in page block_table[b, t / page]
  Tensor sequence;        // [N] i32, the sequence b of each token
  Tensor kv_starts;       // [B+1] i32, prefix sums of the sequences' whole lengths, these tokens included
  bool absorbed = false;  // attend in the latent space (decoding) instead of expanding keys and values

  int64_t tokens_count() const { return tokens.cols(); }
  int64_t keys_count() const;  // tokens attended to: N without a cache, else kv_starts[B]
};

// Whether absorbed attention needs fewer operations than expanded attention for sequences with these numbers
// of new tokens and whole lengths (docs/architecture.md has the arithmetic).
bool absorbed_is_cheaper(const Config& config, std::span<const int32_t> new_tokens,
                         std::span<const int32_t> lengths);

}  // namespace fathom
