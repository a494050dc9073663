// Vectorized access: eight neighbouring elements of a row at a time (16 bytes of bf16, 32 of f32) where
// address, stride and width allow it, single elements elsewhere.
#pragma once
#include "ops/cuda/fast_paths.h"
#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {

constexpr int vec_width = vector_elements;

// Whether rows of this tensor can be accessed eight elements at a time.
inline bool vectorizable(const Tensor& t) {
  return !t || (reinterpret_cast<uintptr_t>(t.data) % 16 == 0 && t.row_stride % vec_width == 0 &&
                vectorizable_width(t.cols()));
}
template <class... Tensors>
bool all_vectorizable(const Tensors&... tensors) {
  return (vectorizable(tensors) && ...);
}

template <int n>
struct Vec {
  float v[n];
};

template <int n, class T>
__device__ Vec<n> load(const T* p) {
  Vec<n> x;
  if constexpr (n == 1) {
    x.v[0] = to_float(*p);
  } else if constexpr (sizeof(T) == 4) {
    for (int half = 0; half < 2; ++half) {
      const float4 four = reinterpret_cast<const float4*>(p)[half];
      float* v = x.v + 4 * half;
      v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
    }
  } else {
    const uint4 raw = *reinterpret_cast<const uint4*>(p);
    const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
    for (int i = 0; i < 4; ++i) {
      x.v[2 * i] = __uint_as_float(words[i] << 16);
      x.v[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000u);
    }
  }
  return x;
}

template <int n, class T>
__device__ void store(T* p, const Vec<n>& x) {
  if constexpr (n == 1) {
    *p = from_float<T>(x.v[0]);
  } else if constexpr (sizeof(T) == 4) {
    for (int half = 0; half < 2; ++half) {
      const float* v = x.v + 4 * half;
      reinterpret_cast<float4*>(p)[half] = make_float4(v[0], v[1], v[2], v[3]);
    }
  } else {
    __nv_bfloat162 pairs[4];
    for (int i = 0; i < 4; ++i) pairs[i] = __floats2bfloat162_rn(x.v[2 * i], x.v[2 * i + 1]);
    *reinterpret_cast<uint4*>(p) = *reinterpret_cast<const uint4*>(pairs);
  }
}

// Threads of a block that loops over a row of C columns, n at a time.
inline int threads_for_row(int64_t C, int n) {
  constexpr int most = 256;
  return static_cast<int>(std::min<int64_t>(most, ceil_div(ceil_div(C, n), warp_size) * warp_size));
}

// body(std::integral_constant<int, 8 or 1>)
template <class Body>
void with_vec_width(bool vectorized, const Body& body) {
  if (vectorized)
    body(std::integral_constant<int, vec_width>());
  else
    body(std::integral_constant<int, 1>());
}

}  // namespace fathom::cuda
