// The inputs of all attention kernels, and which keys a query of a packed batch sees.
#pragma once
#include "ops/attention.h"
#include "ops/cuda/fast_paths.h"
#include "ops/cuda/row_tile.cuh"

namespace fathom::cuda {

// Inputs of the forward and backward pass. A key is k_nope (Dn columns of kv) then k_rope (Dr columns, shared
// by the heads; there may be none). Of the H heads of queries, `group` neighbours read the same of the G
// heads of keys and values.
template <class T>
struct AttentionInputs {
  const T *q, *kv, *k_rope;
  int64_t q_stride, kv_stride, rope_stride;  // of a (token, head) row, a (token, head) row, a token
  const int32_t *q_starts, *kv_starts;
  int B, H, G, group, Dn, Dr, Dv;
  float scale;

  __device__ int Dk() const { return Dn + Dr; }
  __device__ const T* query(int64_t n, int h) const { return q + (n * H + h) * q_stride; }
  __device__ const T* key_value(int64_t m, int kv_head) const { return kv + (m * G + kv_head) * kv_stride; }
  // The head of keys and values that head h of the queries reads.
  __device__ int kv_head(int h) const { return h / group; }
};

template <class T, class Args>
AttentionInputs<gpu_t<T>> attention_inputs(const Args& a) {
  const int Dr = static_cast<int>(shared_key_columns(a)), Dv = static_cast<int>(a.out.cols());
  const int Dn = static_cast<int>(a.q.cols()) - Dr;
  const int H = static_cast<int>(a.q.shape[1]), G = static_cast<int>(a.kv.shape[1]);
  check(a.q.cols() <= max_head_dim && Dv <= max_head_dim,
        "attention: heads of {} and {} columns are wider than this backend's {}", a.q.cols(), Dv,
        max_head_dim);
  return {.q = data<T>(a.q),
          .kv = data<T>(a.kv),
          .k_rope = data<T>(a.k_rope),
          .q_stride = a.q.row_stride,
          .kv_stride = a.kv.row_stride,
          .rope_stride = a.k_rope.row_stride,
          .q_starts = data<int32_t>(a.q_starts),
          .kv_starts = data<int32_t>(a.kv_starts),
          .B = static_cast<int>(a.q_starts.cols() - 1),
          .H = H,
          .G = G,
          .group = H / G,
          .Dn = Dn,
          .Dr = Dr,
          .Dv = Dv,
          .scale = static_cast<float>(a.scale)};
}

// The rows of one sequence. Its query i sees its keys 0 .. i + causal_offset, both counted from its first.
struct SequenceBounds {
  int64_t queries, queries_end, keys, keys_end;

  template <class T>
  __device__ SequenceBounds(const AttentionInputs<T>& in, int b)
      : queries(in.q_starts[b]),
        queries_end(in.q_starts[b + 1]),
        keys(in.kv_starts[b]),
        keys_end(in.kv_starts[b + 1]) {}
  __device__ int64_t causal_offset() const { return (keys_end - keys) - (queries_end - queries); }
  // One past the last key that query n sees; without the mask all are seen.
  template <bool causal = true>
  __device__ int64_t visible_end(int64_t n) const {
    return causal ? keys + (n - queries) + causal_offset() + 1 : keys_end;
  }
};

}  // namespace fathom::cuda
