#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fathom::reference {
namespace {

template <class T>
T dot(const T* x, const T* y, int64_t n) {
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * y[i];
  return sum;
}
template <class T>
void add_scaled(T* out, T scale, const T* x, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] += scale * x[i];
}
template <class T>
void zero(const Tensor& t) {
  for (int64_t r = 0; r < t.rows(); ++r) std::fill_n(t.row<T>(r), t.cols(), T{0});
}

// Calls body(n, first key, end of the visible keys) for every query.
template <class Args, class Body>
void for_each_query(const Args& a, bool causal, const Body& body) {
  const int32_t *q = a.q_starts.template as<int32_t>(), *kv = a.kv_starts.template as<int32_t>();
  for (int64_t b = 0; b + 1 < a.q_starts.count(); ++b)
    for (int64_t n = q[b]; n < q[b + 1]; ++n)
      body(n, kv[b], causal ? kv[b + 1] - (q[b + 1] - n) + 1 : kv[b + 1]);
}

// The row of kv (or dkv) that head h reads of key m.
template <class Args>
int64_t kv_row(const Args& a, int64_t m, int64_t h) {
  const int64_t H = a.q.shape[1], G = a.kv.shape[1];
  return m * G + h / (H / G);
}

template <class T, class Args>
T score(const Args& a, int64_t n, int64_t m, int64_t h) {
  const int64_t H = a.q.shape[1], Dr = shared_key_columns(a), Dn = a.q.cols() - Dr;
  const T *q = a.q.template row<T>(n * H + h), *k_nope = a.kv.template row<T>(kv_row(a, m, h));
  T product = dot(q, k_nope, Dn);
  if (Dr > 0) product += dot(q + Dn, a.k_rope.template row<T>(m), Dr);
  return static_cast<T>(a.scale) * product;
}

}  // namespace

void attention_forward(Device& device, const AttentionForward& a) {
  with_dtype<double, float>("attention_forward", a.q.dtype, [&]<class T>(T) {
    const int64_t H = a.q.shape[1], Dv = a.out.cols(), Dn = a.kv.cols() - Dv;
    T* p = static_cast<T*>(device.scratch(0, a.kv.shape[0] * sizeof(T)));
    for_each_query(a, a.causal, [&](int64_t n, int64_t begin, int64_t end) {
      for (int64_t h = 0; h < H; ++h) {
        T largest = -std::numeric_limits<T>::infinity(), sum = 0;
        for (int64_t m = begin; m < end; ++m) largest = std::max(largest, p[m] = score<T>(a, n, m, h));
        for (int64_t m = begin; m < end; ++m) sum += p[m] = std::exp(p[m] - largest);
        T* out = a.out.row<T>(n * H + h);
        std::fill_n(out, Dv, T{0});
        for (int64_t m = begin; m < end; ++m)
          add_scaled(out, p[m] / sum, a.kv.row<T>(kv_row(a, m, h)) + Dn, Dv);
        if (a.lse) a.lse.row<T>(n)[h] = largest + std::log(sum);
      }
    });
  });
}

// With p the probabilities: dv = p^T dout, dp = dout v^T, ds = p * (dp - dout . out), dq = scale ds k, dk =
// scale ds^T q.
void attention_backward(Device&, const AttentionBackward& a) {
  with_dtype<double, float>("attention_backward", a.q.dtype, [&]<class T>(T) {
    const int64_t H = a.q.shape[1], Dr = shared_key_columns(a), Dv = a.out.cols(), Dn = a.kv.cols() - Dv;
    zero<T>(a.dq), zero<T>(a.dkv);
    if (Dr > 0) zero<T>(a.dk_rope);
    for_each_query(a, true, [&](int64_t n, int64_t begin, int64_t end) {
      for (int64_t h = 0; h < H; ++h) {
        const T *q = a.q.row<T>(n * H + h), *dout = a.dout.row<T>(n * H + h);
        const T dout_out = dot(dout, a.out.row<T>(n * H + h), Dv), lse = a.lse.row<T>(n)[h];
        T* dq = a.dq.row<T>(n * H + h);
        for (int64_t m = begin; m < end; ++m) {
          const T* kv = a.kv.row<T>(kv_row(a, m, h));
          T* dkv = a.dkv.row<T>(kv_row(a, m, h));
          const T p = std::exp(score<T>(a, n, m, h) - lse);
          const T ds = p * (dot(dout, kv + Dn, Dv) - dout_out) * static_cast<T>(a.scale);
          add_scaled(dkv + Dn, p, dout, Dv);
          add_scaled(dkv, ds, q, Dn);
          add_scaled(dq, ds, kv, Dn);
          if (Dr == 0) continue;
          add_scaled(a.dk_rope.row<T>(m), ds, q + Dn, Dr);
          add_scaled(dq + Dn, ds, a.k_rope.row<T>(m), Dr);
        }
      }
    });
  });
}

}  // namespace fathom::reference
