// The shapes that have fast kernels on a GPU: the kernels' dispatch and model/slow_paths.h share these
// conditions. Needs no CUDA, so that it can be tested without it.
#pragma once
#include <array>
#include <cstdint>

namespace fathom::cuda {

// Rows of bf16 that begin at multiples of 16 bytes, for vectorized loads, cp.async and TMA.
constexpr int64_t vector_elements = 8;
constexpr bool vectorizable_width(int64_t columns) {
  return columns % vector_elements == 0;
}

// Heads of expanded attention: queries and keys, values.
struct HeadDims {
  int64_t qk, v;
};
// Those with mma.sync kernels: // of MLA, then of grouped-query attention.
constexpr std::array<HeadDims, 6> mma_heads = {HeadDims{192, 128}, HeadDims{96, 64}, HeadDims{48, 32},
                                               HeadDims{128, 128}, HeadDims{64, 64}, HeadDims{32, 32}};
// Those with wgmma kernels (Hopper), and what the rotary part must be a multiple of.
constexpr std::array<HeadDims, 2> wgmma_heads = {HeadDims{192, 128}, HeadDims{128, 128}};
constexpr int64_t wgmma_rope_multiple = 64;
constexpr int64_t max_head_dim = 256;  // of the SIMT kernels

template <size_t n>
constexpr bool contains(const std::array<HeadDims, n>& list, int64_t qk, int64_t v) {
  bool found = false;
  for (const HeadDims& h : list) found = found || (h.qk == qk && h.v == v);
  return found;
}
// rope: columns of the key that all heads share; 0 without such a part.
constexpr bool has_mma_heads(int64_t qk, int64_t v, int64_t rope) {
  return contains(mma_heads, qk, v) && vectorizable_width(rope);
}
constexpr bool has_wgmma_heads(int64_t qk, int64_t v, int64_t rope) {
  return contains(wgmma_heads, qk, v) && rope % wgmma_rope_multiple == 0;
}

// Latent attention: the width of the latent, and of the rotary key.
struct LatentDims {
  int latent, rope;
};
constexpr LatentDims wide_latent = {512, 64};  // every DeepSeek-V2
constexpr std::array<LatentDims, 2> narrow_latents = {
    LatentDims{128, 32},   // recipes/small.toml
    LatentDims{128, 16}};  // heads of 32 in the paper's proportions
// Those with mma.sync kernels.
constexpr std::array<LatentDims, 3> mma_latents = {wide_latent, narrow_latents[0], narrow_latents[1]};
constexpr int64_t max_latent = 512;  // of the SIMT kernel

constexpr bool has_mma_latent(int64_t latent, int64_t rope) {
  bool found = false;
  for (const LatentDims& l : mma_latents) found = found || (l.latent == latent && l.rope == rope);
  return found;
}

// Heads of grouped-query attention over a paged cache with mma.sync kernels: keys and queries, values.
constexpr std::array<HeadDims, 3> mma_paged_heads = {HeadDims{128, 128}, HeadDims{64, 64}, HeadDims{32, 32}};

constexpr bool has_mma_paged_heads(int64_t qk, int64_t v) {
  return contains(mma_paged_heads, qk, v);
}

}  // namespace fathom::cuda
