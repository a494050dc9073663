// With P = exp(scale * q k - lse), dP = dout v and dS = scale * P (dP - dout out): dv = P^T dout, dk = dS^T
// q, dq = dS k. One kernel iterates over the queries for a tile of keys, those of all heads that read them
// one after another, one over the keys for a tile of queries; blocks share no output except dk_rope, which is
// summed over the heads of keys in order, from the workspace.
#include "ops/cuda/attention/attention_backward.cuh"
#include "ops/cuda/attention/attention_simt.cuh"
#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

// delta = dout . out of each row, by `lanes` neighbouring threads, a power of two.
template <int n, class T>
__global__ void compute_delta(float* delta, const T* dout, int64_t dout_stride, const T* out,
                              int64_t out_stride, int64_t rows, int Dv, int lanes) {
  const int64_t row = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / lanes;
  const int lane = threadIdx.x % lanes;
  float sum = 0;
  for (int c = lane * n; c < Dv && row < rows; c += lanes * n) {
    const Vec<n> x = load<n>(dout + row * dout_stride + c), y = load<n>(out + row * out_stride + c);
#pragma unroll
    for (int i = 0; i < n; ++i) sum += x.v[i] * y.v[i];
  }
  for (int offset = lanes / 2; offset > 0; offset /= 2) sum += __shfl_xor_sync(~0u, sum, offset);
  if (lane == 0 && row < rows) delta[row] = sum;
}

// Tiles of a block, and what is made of a pair of them.
struct Tiles {
  float *queries, *douts, *keys, *values, *p, *ds;  // p and ds: [query_tile, key_tile + 1]

  __device__ Tiles(float* shared, int Dk, int Dv) {
    queries = shared, douts = queries + query_tile * (Dk + 1);
    keys = douts + query_tile * (Dv + 1), values = keys + key_tile * (Dk + 1);
    p = values + key_tile * (Dv + 1), ds = p + query_tile * (key_tile + 1);
  }
  static size_t bytes(int64_t Dk, int64_t Dv) {
    return ((query_tile + key_tile) * (Dk + Dv + 2) + 2 * query_tile * (key_tile + 1)) * sizeof(float);
  }
};

template <class T>
__device__ void fill_query_tiles(const Tiles& t, const AttentionInputs<T>& in, const AttentionGradients<T>& g,
                                 int64_t first, int64_t valid, int h) {
  fill_queries(t.queries, in, first, valid, h);
  fill_tile(t.douts, query_tile, in.Dv, valid,
            [&](int row, int c) { return to_float(g.dout[((first + row) * in.H + h) * g.dout_stride + c]); });
}

// P and dS of a pair of tiles; zero where a query does not see a key or either does not exist.
template <class T>
__device__ void compute_p_ds(const Tiles& t, const AttentionInputs<T>& in, const AttentionGradients<T>& g,
                             const SequenceBounds& s, int64_t query, int64_t queries_end, int64_t key,
                             int h) {
  for (int i = threadIdx.x; i < query_tile * key_tile; i += attention_threads) {
    const int row = i / key_tile, col = i % key_tile;
    const int64_t n = query + row;
    float p = 0, ds = 0;
    if (n < queries_end && key + col < s.visible_end(n)) {
      const float score =
          in.scale * dot(t.queries + row * (in.Dk() + 1), t.keys + col * (in.Dk() + 1), in.Dk());
      p = expf(score - g.lse[n * in.H + h]);
      const float dp = dot(t.douts + row * (in.Dv + 1), t.values + col * (in.Dv + 1), in.Dv);
      ds = in.scale * p * (dp - g.delta[n * in.H + h]);
    }
    t.p[row * (key_tile + 1) + col] = p;
    t.ds[row * (key_tile + 1) + col] = ds;
  }
}

template <class T>
__global__ void backward_dkv(AttentionInputs<T> in, AttentionGradients<T> g) {
  extern __shared__ float shared[];
  constexpr int rows_per_warp = key_tile / attention_warps;
  const int kv_head = blockIdx.y, lane = threadIdx.x % warp_size, warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.kv_starts, in.B, blockIdx.x, key_tile);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const Tiles t(shared, in.Dk(), in.Dv);
  fill_keys(t.keys, in, tile.row, tile.end - tile.row, kv_head);
  fill_values(t.values, in, tile.row, tile.end - tile.row, kv_head);
  float dk[rows_per_warp][per_lane] = {}, dv[rows_per_warp][per_lane] = {};
  // The first query that sees any of these keys.
  const int64_t skipped = tile.row - s.keys - s.causal_offset(),
                first = s.queries + (skipped > 0 ? skipped : 0);
  for (int h = kv_head * in.group; h < (kv_head + 1) * in.group; ++h)
    for (int64_t query = first; query < s.queries_end; query += query_tile) {
      __syncthreads();
      fill_query_tiles(t, in, g, query, s.queries_end - query, h);
      __syncthreads();
      compute_p_ds(t, in, g, s, query, s.queries_end, tile.row, h);
      __syncthreads();
      for (int row = 0; row < query_tile; ++row)
        for (int i = 0; i < rows_per_warp; ++i) {
          const int col = warp * rows_per_warp + i;
          const float p = t.p[row * (key_tile + 1) + col], ds = t.ds[row * (key_tile + 1) + col];
          for (int j = 0; j < per_lane; ++j) {
            const int c = lane + j * warp_size;
            if (c < in.Dk()) dk[i][j] += ds * t.queries[row * (in.Dk() + 1) + c];
            if (c < in.Dv) dv[i][j] += p * t.douts[row * (in.Dv + 1) + c];
          }
        }
    }
  for (int i = 0; i < rows_per_warp; ++i) {
    const int64_t m = tile.row + warp * rows_per_warp + i;
    if (m >= tile.end) continue;
    T* dkv = g.dkv + (m * in.G + kv_head) * g.dkv_stride;
    for (int j = 0; j < per_lane; ++j) {
      const int c = lane + j * warp_size;
      if (c < in.Dn)
        dkv[c] = from_float<T>(dk[i][j]);
      else if (c < in.Dk())
        g.rope_heads[(kv_head * g.M + m) * in.Dr + c - in.Dn] = dk[i][j];
      if (c < in.Dv) dkv[in.Dn + c] = from_float<T>(dv[i][j]);
    }
  }
}

template <class T>
__global__ void backward_dq(AttentionInputs<T> in, AttentionGradients<T> g) {
  extern __shared__ float shared[];
  constexpr int rows_per_warp = query_tile / attention_warps;
  const int h = blockIdx.y, kv_head = in.kv_head(h), lane = threadIdx.x % warp_size,
            warp = threadIdx.x / warp_size;
  const RowTile tile = find_row_tile(in.q_starts, in.B, blockIdx.x, query_tile);
  if (tile.group < 0) return;
  const SequenceBounds s(in, tile.group);
  const Tiles t(shared, in.Dk(), in.Dv);
  fill_query_tiles(t, in, g, tile.row, tile.end - tile.row, h);
  float dq[rows_per_warp][per_lane] = {};
  for (int64_t key = s.keys; key < s.visible_end(tile.end - 1); key += key_tile) {
    __syncthreads();
    fill_keys(t.keys, in, key, s.keys_end - key, kv_head);
    fill_values(t.values, in, key, s.keys_end - key, kv_head);
    __syncthreads();
    compute_p_ds(t, in, g, s, tile.row, tile.end, key, h);
    __syncthreads();
    for (int col = 0; col < key_tile; ++col)
      for (int i = 0; i < rows_per_warp; ++i) {
        const float ds = t.ds[(warp * rows_per_warp + i) * (key_tile + 1) + col];
        for (int j = 0; j < per_lane; ++j)
          if (const int c = lane + j * warp_size; c < in.Dk())
            dq[i][j] += ds * t.keys[col * (in.Dk() + 1) + c];
      }
  }
  for (int i = 0; i < rows_per_warp; ++i) {
    const int64_t n = tile.row + warp * rows_per_warp + i;
    if (n >= tile.end) continue;
    for (int j = 0; j < per_lane; ++j)
      if (const int c = lane + j * warp_size; c < in.Dk())
        g.dq[(n * in.H + h) * g.dq_stride + c] = from_float<T>(dq[i][j]);
  }
}

template <int n, class T>
__global__ void reduce_heads(T* dk_rope, int64_t stride, const float* heads, int64_t M, int G, int Dr) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * n;
  if (i >= M * Dr) return;
  Vec<n> sum{};
#pragma unroll 4
  for (int kv_head = 0; kv_head < G; ++kv_head) {
    const Vec<n> x = load<n>(heads + kv_head * M * Dr + i);
#pragma unroll
    for (int j = 0; j < n; ++j) sum.v[j] += x.v[j];
  }
  store(dk_rope + i / Dr * stride + i % Dr, sum);
}

constexpr int pointwise_threads = 256;
unsigned blocks_of(int64_t threads) {
  return static_cast<unsigned>(ceil_div(threads, pointwise_threads));
}

}  // namespace

void attention_backward(Device& device, const AttentionBackward& a) {
  with_dtype<float, bf16>("attention_backward", a.out.dtype, [&]<class T>(T) {
    const AttentionInputs<gpu_t<T>> in = attention_inputs<T>(a);
    const int64_t N = a.q.shape[0], M = a.kv.shape[0], H = in.H, G = in.G, Dk = a.q.cols(), Dv = in.Dv;
    Workspace sizes;
    sizes.take<float>(N * H), sizes.take<float>(G * M * in.Dr);
    Workspace workspace(device.cuda_context().workspace(sizes.bytes()));
    float *delta = workspace.take<float>(N * H), *rope_heads = workspace.take<float>(G * M * in.Dr);
    with_vec_width(all_vectorizable(a.dout, a.out), [&](auto n) {
      int lanes = 1;
      while (lanes < warp_size && lanes * n < Dv) lanes *= 2;
      launch(device, dim3(blocks_of(N * H * lanes)), pointwise_threads, 0, compute_delta<n, gpu_t<T>>, delta,
             data<T>(a.dout), a.dout.row_stride, data<T>(a.out), a.out.row_stride, N * H, Dv, lanes);
    });

    const AttentionGradients<gpu_t<T>> g = {
        data<T>(a.dq),     data<T>(a.dkv),     a.dq.row_stride, a.dkv.row_stride, data<T>(a.dout),
        a.dout.row_stride, data<float>(a.lse), delta,           rope_heads,       M};
    const auto grid = [&](int64_t rows, int height, int64_t heads) {
      return dim3(static_cast<unsigned>(max_row_tiles(rows, in.B, height)), static_cast<unsigned>(heads));
    };
    bool done = false;
    if constexpr (std::is_same_v<T, bf16>)
      done = attention_backward_wgmma(device, a, g) || attention_backward_mma(device, a, g);
    if (!done) {
      const size_t bytes = Tiles::bytes(Dk, Dv);
      launch(device, grid(M, key_tile, G), attention_threads, bytes, backward_dkv<gpu_t<T>>, in, g);
      launch(device, grid(N, query_tile, H), attention_threads, bytes, backward_dq<gpu_t<T>>, in, g);
    }
    with_vec_width(vectorizable(a.dk_rope), [&](auto n) {
      launch(device, dim3(blocks_of(M * in.Dr / n)), pointwise_threads, 0, reduce_heads<n, gpu_t<T>>,
             data<T>(a.dk_rope), a.dk_rope.row_stride, rope_heads, M, in.G, in.Dr);
    });
  });
}

}  // namespace fathom::cuda
