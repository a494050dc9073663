#include "ops/latent_cache.h"

#include "ops/cuda/attention/latent_cache.cuh"
#include "ops/cuda/row_tile.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void write_rows(LatentCache<T> cache, const T* latent, int64_t stride, const int32_t* sequence,
                           const int32_t* positions, int width) {
  wait_for_previous_kernel();
  const int64_t n = blockIdx.x;
  T* to = cache.row(sequence[n], positions[n]);
  for (int c = threadIdx.x; c < width; c += threads) to[c] = latent[n * stride + c];
}

template <class T>
__global__ void read_rows(T* out, int64_t stride, LatentCache<T> cache, const int32_t* first,
                          const int32_t* starts, int B, int width) {
  const int64_t m = blockIdx.x;
  const int b = group_of(starts, B, m);
  const T* from = cache.row(b, m - starts[b] + (first ? first[b] : 0));
  for (int c = threadIdx.x; c < width; c += threads) out[m * stride + c] = from[c];
}

}  // namespace

void latent_cache_write(Device& device, const LatentCacheWrite& a) {
  with_dtype<float, bf16>("latent_cache_write", a.latent.dtype, [&]<class T>(T) {
    launch_chained(device, dim3(static_cast<unsigned>(a.latent.rows())), threads, 0, write_rows<gpu_t<T>>,
                   latent_cache_of<T>(a.pages, a.block_table), data<T>(a.latent), a.latent.row_stride,
                   data<int32_t>(a.sequence), data<int32_t>(a.positions), a.latent.cols());
  });
}

void latent_cache_read(Device& device, const LatentCacheRead& a) {
  with_dtype<float, bf16>("latent_cache_read", a.out.dtype, [&]<class T>(T) {
    launch(device, dim3(static_cast<unsigned>(a.out.rows())), threads, 0, read_rows<gpu_t<T>>, data<T>(a.out),
           a.out.row_stride, latent_cache_of<T>(a.pages, a.block_table), data<int32_t>(a.first),
           data<int32_t>(a.kv_starts), a.block_table.shape[0], a.out.cols());
  });
}

}  // namespace fathom::cuda
