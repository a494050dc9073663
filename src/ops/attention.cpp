#include "ops/attention.h"

#include <algorithm>
#include <string>

namespace fathom {
namespace {

// starts must run from 0 to `total` without falling.
void check_starts(const char* field, const Tensor& starts, int64_t total) {
  const int32_t* s = starts.as<int32_t>();
  const int64_t B = starts.count() - 1;
  check(B >= 0 && s[0] == 0 && s[B] == total, "attention {} must run from 0 to {}", field, total);
  for (int64_t b = 0; b < B; ++b)
    check(s[b] <= s[b + 1], "attention {} falls from {} to {} at sequence {}", field, s[b], s[b + 1], b);
}

// What both directions share: the inputs' shapes, dtypes and sequence bounds.
template <class Args>
void check_inputs(const Device& device, const Args& a, bool causal) {
  Dim N{"N"}, M{"M"}, H{"H"}, G{"G"}, Dr{"Dr"}, Dv{"Dv"}, starts{"B+1"};
  expect("attention out", a.out, {N, H, Dv});
  const DType any = a.out.dtype;
  if (a.k_rope.rank == 0)
    Dr = Dim{"Dr", 0};
  else
    expect("attention k_rope", a.k_rope, {M, Dr}, any);
  const int64_t Dn = (a.q.rank == 3 ? a.q.cols() : 0) - Dr;
  Dim q_width{"Dn+Dr", Dn + Dr}, kv_width{"Dn+Dv", Dn + Dv};
  expect("attention q", a.q, {N, H, q_width}, any);
  check(Dn >= 0, "attention q has {} columns a head, fewer than k_rope's {}", a.q.cols(), Dr.size());
  expect("attention kv", a.kv, {M, G, kv_width}, any);
  check(G > 0 && H % G == 0, "attention kv has {} heads: they must divide the {} heads of q", G.size(),
        H.size());
  if (a.lse) expect("attention lse", a.lse, {N, H}, stat_of(any));
  expect("attention q_starts", a.q_starts, {starts}, DType::i32);
  expect("attention kv_starts", a.kv_starts, {starts}, DType::i32);
  if (!device.on_host()) return;
  check_starts("q_starts", a.q_starts, N);
  check_starts("kv_starts", a.kv_starts, M);
  const int32_t *q = a.q_starts.template as<int32_t>(), *kv = a.kv_starts.template as<int32_t>();
  for (int64_t b = 0; causal && b + 1 < starts; ++b)
    check(kv[b + 1] - kv[b] >= q[b + 1] - q[b], "attention sequence {} has {} keys for {} queries", b,
          kv[b + 1] - kv[b], q[b + 1] - q[b]);
}

// (query, key) pairs of all heads, if the sequences are of one length.
template <class Args>
double pairs(const Args& a, bool causal) {
  const auto N = static_cast<double>(a.q.shape[0]), M = static_cast<double>(a.kv.shape[0]);
  const auto B = static_cast<double>(std::max<int64_t>(a.q_starts.cols() - 1, 1));
  return static_cast<double>(a.q.shape[1]) * N * (causal ? M - (N - B) / 2 : M) / B;
}

void expect_like(const char* field, const Tensor& t, const Tensor& like) {
  check((t || t.count() == 0) && t.dtype == like.dtype && t.rank == like.rank && t.shape == like.shape,
        "{} is {}, expected {}", field, t ? t.shape_text() : "missing", like.shape_text());
}

}  // namespace

void attention_forward(Device& device, const AttentionForward& a) {
  check_inputs(device, a, a.causal);
  FATHOM_DISPATCH(attention_forward, device, a, moves(a.out, a.lse, a.q, a.kv, a.k_rope),
                  2 * pairs(a, a.causal) * (a.q.cols() + a.out.cols()))
}

void attention_backward(Device& device, const AttentionBackward& a) {
  check_inputs(device, a, true);
  check(a.lse || a.lse.count() == 0, "attention lse is missing");
  expect_like("attention dq", a.dq, a.q);
  expect_like("attention dkv", a.dkv, a.kv);
  if (a.k_rope.rank > 0 || a.dk_rope) expect_like("attention dk_rope", a.dk_rope, a.k_rope);
  expect_like("attention dout", a.dout, a.out);
  FATHOM_DISPATCH(attention_backward, device, a,
                  moves(a.dq, a.dkv, a.dk_rope, a.dout, a.out, a.lse, a.q, a.kv, a.k_rope),
                  2 * pairs(a, true) * (3 * a.q.cols() + 2 * a.out.cols()))
}

}  // namespace fathom
