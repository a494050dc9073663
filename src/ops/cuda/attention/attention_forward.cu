// FlashAttention without tensor cores, for any head size. A block takes 16 queries of one head, a warp four
// of them, over tiles of 32 keys: a lane computes the score of one key, and holds every 32nd column of the
// output.
#include "ops/cuda/attention/attention_forward.cuh"
#include "ops/cuda/attention/attention_simt.cuh"

namespace fathom::cuda {
namespace {

constexpr int rows_per_warp = query_tile / attention_warps;

template <class T, bool causal>
__global__ void forward(AttentionInputs<T> in, AttentionOutput<T> o) {
  extern __shared__ float shared[];
  const int h = blockIdx.y, kv_head = in.kv_head(h), lane = threadIdx.x % warp_size,
            warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, blockIdx.x, query_tile);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  if (!causal && s.keys == s.keys_end) return store_nothing(o, tile, h, in.H, in.Dv);
  float *queries = shared, *keys = queries + query_tile * (in.Dk() + 1),
        *values = keys + key_tile * (in.Dk() + 1);
  fill_queries(queries, in, tile.row, tile.end - tile.row, h);

  float max[rows_per_warp], sum[rows_per_warp] = {}, out[rows_per_warp][per_lane] = {};
  for (int i = 0; i < rows_per_warp; ++i) max[i] = -INFINITY;
  const int64_t keys_end = s.visible_end<causal>(tile.end - 1);
  for (int64_t key = s.keys; key < keys_end; key += key_tile) {
    __syncthreads();
    fill_keys(keys, in, key, s.keys_end - key, kv_head);
    fill_values(values, in, key, s.keys_end - key, kv_head);
    __syncthreads();
    for (int i = 0; i < rows_per_warp; ++i) {
      const int row = warp * rows_per_warp + i;
      const int64_t n = tile.row + row;
      const bool visible = n < tile.end && key + lane < s.visible_end<causal>(n);
      const float score =
          visible ? in.scale * dot(queries + row * (in.Dk() + 1), keys + lane * (in.Dk() + 1), in.Dk())
                  : -INFINITY;
      const float largest = fmaxf(max[i], warp_max(score));
      if (largest == -INFINITY) continue;  // the same in all lanes
      const float p = expf(score - largest), rescale = expf(max[i] - largest);
      sum[i] = sum[i] * rescale + warp_sum(p);
      max[i] = largest;
      for (float& x : out[i]) x *= rescale;
      for (int k = 0; k < key_tile; ++k) {
        const float weight = __shfl_sync(~0u, p, k);
        for (int j = 0; j < per_lane; ++j)
          if (const int c = lane + j * warp_size; c < in.Dv)
            out[i][j] += weight * values[k * (in.Dv + 1) + c];
      }
    }
  }
  for (int i = 0; i < rows_per_warp; ++i) {
    const int64_t n = tile.row + warp * rows_per_warp + i;
    if (n >= tile.end) continue;
    for (int j = 0; j < per_lane; ++j)
      if (const int c = lane + j * warp_size; c < in.Dv)
        o.out[(n * in.H + h) * o.out_stride + c] = from_float<T>(out[i][j] / sum[i]);
    if (o.lse && lane == 0) o.lse[n * in.H + h] = max[i] + logf(sum[i]);
  }
}

}  // namespace

void attention_forward(Device& device, const AttentionForward& a) {
  if (attention_forward_wgmma(device, a) || attention_forward_mma(device, a)) return;
  with_dtype<float, bf16>("attention_forward", a.out.dtype, [&]<class T>(T) {
    const AttentionInputs<gpu_t<T>> in = attention_inputs<T>(a);
    const int64_t Dk = a.q.cols(), Dv = a.out.cols();
    const size_t bytes = ((query_tile + key_tile) * (Dk + 1) + key_tile * (Dv + 1)) * sizeof(float);
    const dim3 grid(static_cast<unsigned>(max_row_tiles(a.q.shape[0], in.B, query_tile)),
                    static_cast<unsigned>(in.H));
    with_mask(a.causal, [&](auto causal) {
      launch(device, grid, attention_threads, bytes, forward<gpu_t<T>, causal>, in,
             AttentionOutput<gpu_t<T>>{data<T>(a.out), a.out.row_stride, data<float>(a.lse)});
    });
  });
}

}  // namespace fathom::cuda
