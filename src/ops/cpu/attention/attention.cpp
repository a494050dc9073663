// FlashAttention (Dao et al. 2022): a task takes one head and a range of queries and iterates over blocks of
// keys, packed once into the thread's scratch memory, with online softmax. The backward pass recomputes the
// probabilities from lse. The result of a task does not depend on the thread that runs it.
#include "ops/attention.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/attention/attention.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/attention/block_gemm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

constexpr int64_t query_block = 64, key_block = 128;  // one block of scores: 32 KiB
constexpr int64_t query_run = 256;                    // queries of a forward task, which share packed keys
constexpr int64_t score_ld = padded(key_block);
// Scores are in base 2, so that exp becomes exp2.
constexpr float log2_e = std::numbers::log2e_v<float>, ln_2 = std::numbers::ln2_v<float>;

// Head sizes, and row lengths of packed blocks.
struct Sizes {
  int64_t H, G, Dn, Dr, Dv, D = Dn + Dr;
  int64_t sharing = H / G;  // heads of queries that share a head of keys and values
  int64_t ld_qk = padded(D), ld_v = padded(Dv);
  int64_t qk_panels = round_up(D, panel_width) / panel_width,
          v_panels = round_up(Dv, panel_width) / panel_width;
  int64_t key_panels = round_up(key_block, panel_width) / panel_width;
};
template <class Args>
Sizes sizes_of(const Args& a) {
  return {.H = a.q.shape[1],
          .G = a.kv.shape[1],
          .Dn = a.kv.cols() - a.out.cols(),
          .Dr = shared_key_columns(a),
          .Dv = a.out.cols()};
}

// The keys and values from token m on that head h reads: rows z.G * row_stride apart.
template <class T, class Args>
const T* key_values(const Args& a, const Sizes& z, int64_t m, int64_t h) {
  return a.kv.template row<T>(m * z.G + h / z.sharing);
}

// The causal mask of a block of queries and `keys` keys: query i sees the first visible(i) keys.
struct CausalMask {
  int64_t first, keys;  // query 0 sees `first`, which may be negative or past the end: then all see all
  int64_t visible(int64_t i) const { return std::clamp<int64_t>(first + i, 0, keys); }
};

// Operand B of head h's keys m .. m + keys - 1: [k_nope | k_rope] transposed.
template <class T, class Args>
void pack_keys_transposed(const Args& a, const Sizes& z, int64_t h, int64_t m, int64_t keys, float* out) {
  const int64_t panel = z.D * panel_width;
  pack_transposed(key_values<T>(a, z, m, h), z.G * a.kv.row_stride, keys, z.Dn, out, panel, panel_width);
  if (z.Dr == 0) return;
  pack_transposed(a.k_rope.template row<T>(m), a.k_rope.row_stride, keys, z.Dr, out + z.Dn * panel_width,
                  panel, panel_width);
}

// scores[rows, keys] = left . right for the visible pairs; right is transposed, K is `depth`.
void score_block(int64_t rows, const CausalMask& mask, const float* left, int64_t ld, const float* right,
                 int64_t depth, float* scores) {
  block_gemm(rows, round_up(mask.visible(rows - 1), panel_width) / panel_width, OperandA<false>{left, ld},
             OperandB{right, panel_width, depth * panel_width}, scores, score_ld, false,
             [&](int64_t, int64_t end, int64_t panel) {
               return Range{0, panel * panel_width < mask.visible(end - 1) ? depth : 0};
             });
}

// Online softmax of a row of scores: they become 2^(score - max), zero from `visible` to `width`; max, sum
// and the output row o are rescaled.
void softmax_row(float* s, int64_t visible, int64_t width, float& max, float& sum, float* o, int64_t Dv) {
  const F32 d;
  std::fill(s + visible, s + round_up(width, lanes), -std::numeric_limits<float>::infinity());
  if (visible == 0) {
    std::fill_n(s, width, 0.0f);
    return;
  }
  Vec top = hn::Set(d, max);
  for (int64_t c = 0; c < visible; c += lanes) top = hn::Max(top, hn::LoadU(d, s + c));
  const float new_max = max_lanes(d, top);
  if (new_max > max) {
    const float rescale = std::exp2(max - new_max);
    max = new_max, sum *= rescale;
    scale_row(o, o, Dv, rescale);
  }
  const Vec shift = hn::Set(d, max);
  Vec total = hn::Zero(d);
  for (int64_t c = 0; c < width; c += lanes) {
    const Vec p = exp2(d, hn::Sub(hn::LoadU(d, s + c), shift));
    total = hn::Add(total, p);
    hn::StoreU(p, d, s + c);
  }
  sum += sum_lanes(d, total);
}

// A range of queries of one head of one sequence.
struct QueryRun {
  int64_t h, n, queries;     // first query row and their number
  int64_t m, keys, visible;  // first key row; keys that the last query sees, and the first (`keys`: all do)
};

struct ForwardScratch {
  float *q, *out, *max, *sum, *keys, *values, *scores;
  size_t bytes;
  ForwardScratch(const Sizes& z, void* memory) {
    ScratchLayout p(memory);
    q = p.take<float>(query_run * z.ld_qk), out = p.take<float>(query_run * z.ld_v);
    max = p.take<float>(query_run), sum = p.take<float>(query_run);
    keys = p.take<float>(z.key_panels * panel_width * z.D), values = p.take<float>(key_block * z.ld_v);
    scores = p.take<float>(query_block * score_ld);
    bytes = p.bytes();
  }
};

// The rows of one query block against the packed keys and values.
void forward_block(const Sizes& z, const ForwardScratch& w, int64_t row, int64_t rows,
                   const CausalMask& mask) {
  float* out = w.out + row * z.ld_v;
  score_block(rows, mask, w.q + row * z.ld_qk, z.ld_qk, w.keys, z.D, w.scores);
  const int64_t strip = strip_height(rows);
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t strip_end = std::min(rows, (i / strip + 1) * strip);
    softmax_row(w.scores + i * score_ld, mask.visible(i), mask.visible(strip_end - 1), w.max[row + i],
                w.sum[row + i], out + i * z.ld_v, z.Dv);
  }
  block_gemm(rows, z.v_panels, OperandA<false>{w.scores, score_ld}, OperandB{w.values, z.ld_v, panel_width},
             out, z.ld_v, true, [&](int64_t, int64_t end, int64_t) {
               return Range{0, mask.visible(end - 1)};
             });
}

template <class T>
void forward_run(const AttentionForward& a, const Sizes& z, const QueryRun& run, const ForwardScratch& w) {
  pack_rows(a.q.row<T>(run.n * z.H + run.h), z.H * a.q.row_stride, run.queries, z.D, w.q, z.ld_qk,
            static_cast<float>(a.scale) * log2_e);
  std::fill_n(w.out, run.queries * z.ld_v, 0.0f);
  std::fill_n(w.max, run.queries, -std::numeric_limits<float>::infinity());
  std::fill_n(w.sum, run.queries, 0.0f);
  for (int64_t key = 0; key < run.keys; key += key_block) {
    const int64_t keys = std::min(key_block, run.keys - key), m = run.m + key;
    pack_keys_transposed<T>(a, z, run.h, m, keys, w.keys);
    pack_rows(key_values<T>(a, z, m, run.h) + z.Dn, z.G * a.kv.row_stride, keys, z.Dv, w.values, z.ld_v, 1);
    for (int64_t row = 0; row < run.queries; row += query_block) {
      const int64_t rows = std::min(query_block, run.queries - row);
      const CausalMask mask{run.visible + row - key, keys};
      if (mask.visible(rows - 1) > 0) forward_block(z, w, row, rows, mask);
    }
  }
  for (int64_t i = 0; i < run.queries; ++i) {
    scale_row(w.out + i * z.ld_v, a.out.row<T>((run.n + i) * z.H + run.h), z.Dv,
              run.keys > 0 ? 1 / w.sum[i] : 0);
    if (a.lse) a.lse.row<float>(run.n + i)[run.h] = ln_2 * (w.max[i] + std::log2(w.sum[i]));
  }
}

struct BackwardScratch {
  float *q, *dout, *dq, *lse, *delta;                 // the whole sequence's queries
  float *keys, *keys_transposed, *values_transposed;  // one key block
  float *dk, *dv;  // one key block, or all keys where several heads add to them
  float *p, *ds;
  size_t bytes;
  BackwardScratch(const Sizes& z, int64_t queries, int64_t all_keys, void* memory) {
    ScratchLayout layout(memory);
    auto take = [&](int64_t count) { return layout.take<float>(count); };
    q = take(queries * z.ld_qk), dq = take(queries * z.ld_qk), dout = take(queries * z.ld_v);
    lse = take(queries), delta = take(queries);
    keys = take(key_block * z.ld_qk);
    const int64_t gradients = z.sharing == 1 ? key_block : all_keys;
    dk = take(gradients * z.ld_qk), dv = take(gradients * z.ld_v);
    keys_transposed = take(z.key_panels * panel_width * z.D);
    values_transposed = take(z.key_panels * panel_width * z.Dv);
    p = take(query_block * score_ld), ds = take(query_block * score_ld);
    bytes = layout.bytes();
  }
};

// p: scores become probabilities; ds: p * (dp - delta). Zero from `visible` to `keys`.
void probability_row(float* p, float* ds, int64_t visible, int64_t keys, float lse, float delta) {
  const F32 d;
  const Vec shift = hn::Set(d, lse), mean = hn::Set(d, delta);
  for (int64_t c = 0; c < visible; c += lanes) {
    const Vec v = exp2(d, hn::Sub(hn::LoadU(d, p + c), shift));
    hn::StoreU(v, d, p + c);
    hn::StoreU(hn::Mul(v, hn::Sub(hn::LoadU(d, ds + c), mean)), d, ds + c);
  }
  std::fill(p + visible, p + keys, 0.0f);
  std::fill(ds + visible, ds + keys, 0.0f);
}

// One pair of blocks: the five GEMMs of the backward pass.
void backward_block(const Sizes& z, const BackwardScratch& w, int64_t row, int64_t rows,
                    const CausalMask& mask, float* dk, float* dv) {
  const float *q = w.q + row * z.ld_qk, *dout = w.dout + row * z.ld_v;
  score_block(rows, mask, q, z.ld_qk, w.keys_transposed, z.D, w.p);
  score_block(rows, mask, dout, z.ld_v, w.values_transposed, z.Dv, w.ds);
  for (int64_t i = 0; i < rows; ++i)
    probability_row(w.p + i * score_ld, w.ds + i * score_ld, mask.visible(i), mask.keys, w.lse[row + i],
                    w.delta[row + i]);
  // Key `first` is visible to the queries from first - mask.first + 1 on.
  const auto from_edge = [&](int64_t first, int64_t, int64_t) {
    return Range{std::max<int64_t>(0, first - mask.first + 1), rows};
  };
  const int64_t keys = mask.visible(rows - 1);
  block_gemm(keys, z.v_panels, OperandA<true>{w.p, score_ld}, OperandB{dout, z.ld_v, panel_width}, dv, z.ld_v,
             true, from_edge);
  block_gemm(keys, z.qk_panels, OperandA<true>{w.ds, score_ld}, OperandB{q, z.ld_qk, panel_width}, dk,
             z.ld_qk, true, from_edge);
  block_gemm(rows, z.qk_panels, OperandA<false>{w.ds, score_ld}, OperandB{w.keys, z.ld_qk, panel_width},
             w.dq + row * z.ld_qk, z.ld_qk, true, [&](int64_t, int64_t end, int64_t) {
               return Range{0, mask.visible(end - 1)};
             });
}

template <class T>
void pack_queries(const AttentionBackward& a, const Sizes& z, const QueryRun& run, const BackwardScratch& w) {
  const int64_t first = run.n * z.H + run.h;
  pack_rows(a.q.row<T>(first), z.H * a.q.row_stride, run.queries, z.D, w.q, z.ld_qk,
            static_cast<float>(a.scale) * log2_e);
  pack_rows(a.dout.row<T>(first), z.H * a.dout.row_stride, run.queries, z.Dv, w.dout, z.ld_v, 1);
  std::fill_n(w.dq, run.queries * z.ld_qk, 0.0f);
  for (int64_t i = 0; i < run.queries; ++i) {
    const T* out = a.out.row<T>(first + i * z.H);
    w.lse[i] = a.lse.row<float>(run.n + i)[run.h] * log2_e;
    w.delta[i] = 0;
    for (int64_t c = 0; c < z.Dv; ++c) w.delta[i] += w.dout[i * z.ld_v + c] * to_float(out[c]);
  }
}

// Stores the gradients dk and dv of a block of keys, to which no further head adds. dk_rope [keys, Dr] is the
// task's own sum over its heads; `add` is false for the first of them.
template <class T>
void store_key_gradients(const AttentionBackward& a, const Sizes& z, int64_t m, int64_t keys, int64_t g,
                         const float* dk, const float* dv, float* dk_rope, bool add) {
  for (int64_t i = 0; i < keys; ++i, dk += z.ld_qk, dv += z.ld_v, dk_rope += z.Dr) {
    T* dkv = a.dkv.row<T>((m + i) * z.G + g);
    scale_row(dk, dkv, z.Dn, ln_2);
    scale_row(dv, dkv + z.Dn, z.Dv, 1);
    for (int64_t c = 0; c < z.Dr; ++c) dk_rope[c] = (add ? dk_rope[c] : 0.0f) + ln_2 * dk[z.Dn + c];
  }
}

// One head of one sequence. The heads that share keys and values come one after another and add up.
template <class T>
void backward_head(const AttentionBackward& a, const Sizes& z, const QueryRun& run, const BackwardScratch& w,
                   float* dk_rope, bool add) {
  const int64_t place = run.h % z.sharing;
  pack_queries<T>(a, z, run, w);
  for (int64_t key = 0; key < run.keys; key += key_block) {
    const int64_t keys = std::min(key_block, run.keys - key), m = run.m + key;
    const T* kv = key_values<T>(a, z, m, run.h);
    pack_keys_transposed<T>(a, z, run.h, m, keys, w.keys_transposed);
    pack_transposed(kv + z.Dn, z.G * a.kv.row_stride, keys, z.Dv, w.values_transposed, z.Dv * panel_width,
                    panel_width);
    pack_rows(kv, z.G * a.kv.row_stride, keys, z.Dn, w.keys, z.ld_qk, 1);
    if (z.Dr > 0) pack_rows(a.k_rope.row<T>(m), a.k_rope.row_stride, keys, z.Dr, w.keys + z.Dn, z.ld_qk, 1);
    float *dk = w.dk, *dv = w.dv;
    if (z.sharing > 1) dk += key * z.ld_qk, dv += key * z.ld_v;
    if (place == 0) {
      std::fill_n(dk, keys * z.ld_qk, 0.0f);
      std::fill_n(dv, keys * z.ld_v, 0.0f);
    }
    for (int64_t row = 0; row < run.queries; row += query_block) {
      const int64_t rows = std::min(query_block, run.queries - row);
      const CausalMask mask{run.visible + row - key, keys};
      if (mask.visible(rows - 1) > 0) backward_block(z, w, row, rows, mask, dk, dv);
    }
    if (place == z.sharing - 1)
      store_key_gradients<T>(a, z, m, keys, run.h / z.sharing, dk, dv, dk_rope + key * z.Dr, add);
  }
  for (int64_t i = 0; i < run.queries; ++i)
    scale_row(w.dq + i * z.ld_qk, a.dq.row<T>((run.n + i) * z.H + run.h), z.D, static_cast<float>(a.scale));
}

// dk_rope = the sum of the head groups' parts [groups, M, Dr], in order.
template <class T>
void sum_groups(const Device& device, const float* parts, int64_t groups, const Tensor& dk_rope) {
  const int64_t M = dk_rope.rows(), Dr = dk_rope.cols();
  parallel_ranges(device.threads(), M, 1, [&](int, int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m)
      for (int64_t c = 0; c < Dr; ++c) {
        float sum = 0;
        for (int64_t g = 0; g < groups; ++g) sum += parts[(g * M + m) * Dr + c];
        dk_rope.row<T>(m)[c] = T(sum);
      }
  });
}

int64_t runs_of(int64_t queries) {
  return (queries + query_run - 1) / query_run;
}

}  // namespace

// Tasks: every head of every range of queries; the last range of a sequence sees the most keys, so it starts
// first.
void attention_forward(Device& device, const AttentionForward& a) {
  const Sizes z = sizes_of(a);
  const int32_t *q = a.q_starts.as<int32_t>(), *kv = a.kv_starts.as<int32_t>();
  int64_t runs = 0;
  for (int64_t b = 0; b + 1 < a.q_starts.count(); ++b) runs += runs_of(q[b + 1] - q[b]);
  with_dtype<float, bf16>("attention_forward", a.q.dtype, [&]<class T>(T) {
    const size_t bytes = ForwardScratch(z, nullptr).bytes;
    parallel_tasks(device.threads(), runs * z.H, [&](int thread, int64_t task) {
      int64_t run = task / z.H, b = 0;
      while (run >= runs_of(q[b + 1] - q[b])) run -= runs_of(q[b + 1] - q[b]), ++b;
      const int64_t queries = q[b + 1] - q[b], begin = (runs_of(queries) - 1 - run) * query_run;
      const int64_t rows = std::min(query_run, queries - begin), keys = kv[b + 1] - kv[b];
      const int64_t visible = a.causal ? keys - queries + begin + 1 : keys;
      forward_run<T>(a, z,
                     {.h = task % z.H,
                      .n = q[b] + begin,
                      .queries = rows,
                      .m = kv[b],
                      .keys = a.causal ? visible + rows - 1 : keys,
                      .visible = visible},
                     ForwardScratch(z, device.scratch(thread, bytes)));
    });
  });
}

// Tasks: a fixed grouping of the heads of keys and values of every sequence, so that dk_rope's sum does not
// depend on the number of threads.
void attention_backward(Device& device, const AttentionBackward& a) {
  const Sizes z = sizes_of(a);
  const int32_t *q = a.q_starts.as<int32_t>(), *kv = a.kv_starts.as<int32_t>();
  const int64_t B = a.q_starts.count() - 1, M = a.kv.shape[0], groups = std::min<int64_t>(z.G, 32);
  int64_t longest = 0, most_keys = 0;
  for (int64_t b = 0; b < B; ++b) {
    longest = std::max<int64_t>(longest, q[b + 1] - q[b]);
    most_keys = std::max<int64_t>(most_keys, kv[b + 1] - kv[b]);
  }
  with_dtype<float, bf16>("attention_backward", a.q.dtype, [&]<class T>(T) {
    float* parts = static_cast<float*>(device.shared_scratch(groups * M * z.Dr * sizeof(float)));
    const size_t bytes = BackwardScratch(z, longest, most_keys, nullptr).bytes;
    parallel_tasks(device.threads(), B * groups, [&](int thread, int64_t task) {
      const int64_t b = task / groups, g = task % groups, queries = q[b + 1] - q[b], keys = kv[b + 1] - kv[b];
      const BackwardScratch w(z, longest, most_keys, device.scratch(thread, bytes));
      const int64_t first = z.G * g / groups * z.sharing, end = z.G * (g + 1) / groups * z.sharing;
      for (int64_t h = first; h < end; ++h)
        backward_head<T>(
            a, z,
            {.h = h, .n = q[b], .queries = queries, .m = kv[b], .keys = keys, .visible = keys - queries + 1},
            w, parts + (g * M + kv[b]) * z.Dr, h >= first + z.sharing);
    });
    if (z.Dr > 0) sum_groups<T>(device, parts, groups, a.dk_rope);
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(attention_forward, AttentionForward)
FATHOM_SIMD_OP(attention_backward, AttentionBackward)
}  // namespace fathom::cpu
#endif
