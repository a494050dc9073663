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
// Those with mma.sync kernels.
constexpr std::array<HeadDims, 3> mma_heads = {HeadDims{192, 128}, HeadDims{96, 64}, HeadDims{48, 32}};
// Those with wgmma kernels (Hopper), and what the rotary part must be a multiple of.
constexpr HeadDims wgmma_heads = {192, 128};
constexpr int64_t wgmma_rope_multiple = 64;
constexpr int64_t max_head_dim = 256;  // of the SIMT kernels

constexpr bool has_mma_heads(int64_t qk, int64_t v, int64_t rope) {
  bool found = false;
  for (const HeadDims& h : mma_heads) found = found || (h.qk == qk && h.v == v);
  return found && vectorizable_width(rope);
}
constexpr bool has_wgmma_heads(int64_t qk, int64_t v, int64_t rope) {
  return qk == wgmma_heads.qk && v == wgmma_heads.v && rope % wgmma_rope_multiple == 0;
}

// Latent attention: the width of the latent, and of the rotary key.
struct LatentDims {
  int latent, rope;
};
constexpr std::array<LatentDims, 2> mma_latents = {LatentDims{512, 64},   // every DeepSeek-V2
                                                   LatentDims{128, 32}};  // recipes/small.toml
constexpr int64_t max_latent = 512;                                       // of the SIMT kernel

constexpr bool has_mma_latent(int64_t latent, int64_t rope) {
  bool found = false;
  for (const LatentDims& l : mma_latents) found = found || (l.latent == latent && l.rope == rope);
  return found;
}

}  // namespace fathom::cuda
