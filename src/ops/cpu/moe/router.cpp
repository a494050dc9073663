#include "ops/router.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/cpu/moe/router.cpp"
#include <hwy/foreach_target.h>
// must come after foreach_target
#include "ops/cpu/simd_math.h"
#include "ops/group_score.h"

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace fathom::cpu::HWY_NAMESPACE {
namespace {

void softmax(const float* x, float* out, int64_t n) {
  const F32 d;
  Vec high = hn::Set(d, -INFINITY), sum = hn::Zero(d);
  for_each_vector(
      n, [&](int64_t i, auto part) HWY_ATTR { high = hn::Max(high, load(d, x + i, part, -INFINITY)); });
  const Vec max = hn::Set(d, max_lanes(d, high));
  for_each_vector(n, [&](int64_t i, auto part) HWY_ATTR {
    const Vec e = exp(d, hn::Sub(load(d, x + i, part, -INFINITY), max));
    sum = hn::Add(sum, e);
    store(d, e, out + i, part);
  });
  const Vec scale = hn::Set(d, 1 / sum_lanes(d, sum));
  for_each_vector(n, [&](int64_t i, auto part)
                         HWY_ATTR { store(d, hn::Mul(load(d, out + i, part), scale), out + i, part); });
}

// The `size` largest values offered, in descending order; of equal values the one offered first. NaN compares
// below all values: it is kept only while there is room.
struct TopK {
  float* values;
  int32_t* ids;
  int64_t size;
  int64_t used = 0;

  void offer(float value, int32_t id) {
    if (used == size && !(value > values[size - 1])) return;
    int64_t i = used < size ? used++ : size - 1;
    for (; i > 0 && value > values[i - 1]; --i) values[i] = values[i - 1], ids[i] = ids[i - 1];
    values[i] = value, ids[i] = id;
  }
};

struct Scratch {
  float* biased;        // [E]
  float* group_scores;  // [n_groups]
  int32_t* chosen;      // [n_groups]
  int32_t* marks;       // [n_groups]

  Scratch(void* memory, int64_t E, int n_groups)
      : biased(static_cast<float*>(memory)),
        group_scores(biased + E),
        chosen(reinterpret_cast<int32_t*>(group_scores + n_groups)),
        marks(chosen + n_groups) {}
  static int64_t bytes(int64_t E, int n_groups) {
    return (E + n_groups) * size_of(DType::f32) + 2 * n_groups * size_of(DType::i32);
  }
};

// What experts are chosen by.
const float* ranking(const RouterForward& a, const float* scores, int64_t E, const Scratch& scratch) {
  if (!a.bias) return scores;
  const float* bias = a.bias.as<float>();
  for (int64_t e = 0; e < E; ++e) scratch.biased[e] = scores[e] + bias[e];
  return scratch.biased;
}

// Marks the groups with the highest scores.
const int32_t* select_groups(const RouterForward& a, const float* values, int64_t size,
                             const Scratch& scratch) {
  TopK top{scratch.group_scores, scratch.chosen, a.topk_groups};
  for (int g = 0; g < a.n_groups; ++g) {
    GroupScore<float> group;
    for (int64_t e = g * size; e < (g + 1) * size; ++e) group.add(values[e]);
    top.offer(group.value(static_cast<bool>(a.bias)), g);
  }
  std::fill_n(scratch.marks, a.n_groups, 0);
  for (int i = 0; i < a.topk_groups; ++i) scratch.marks[scratch.chosen[i]] = 1;
  return scratch.marks;
}

void route_token(const RouterForward& a, int64_t n, const Scratch& scratch) {
  const int64_t E = a.logits.cols(), K = a.ids.cols(), size = E / a.n_groups;
  float *scores = a.scores.row<float>(n), *weights = a.weights.row<float>(n);
  softmax(a.logits.row<float>(n), scores, E);
  const float* values = ranking(a, scores, E, scratch);
  const int32_t* allowed = a.n_groups > 1 ? select_groups(a, values, size, scratch) : nullptr;
  TopK top{weights, a.ids.row<int32_t>(n), K};
  for (int64_t g = 0; g < a.n_groups; ++g) {
    if (allowed && !allowed[g]) continue;
    for (int64_t e = g * size; e < (g + 1) * size; ++e) top.offer(values[e], static_cast<int32_t>(e));
  }
  float sum = 1e-20f;
  for (int64_t k = 0; k < K; ++k) sum += weights[k] = scores[top.ids[k]];
  for (int64_t k = 0; k < K; ++k) weights[k] *= a.normalize ? 1 / sum : static_cast<float>(a.scaling);
}

// Normalised weights w = s / S: ds = (dw - sum(dw * w)) / S. Softmax: dlogits = s * (ds - sum(ds * s)).
void route_token_backward(const RouterBackward& a, int64_t n) {
  const F32 d;
  const int64_t E = a.scores.cols(), K = a.ids.cols();
  const float *scores = a.scores.row<float>(n), *dweights = a.dweights.row<float>(n);
  const int32_t* ids = a.ids.row<int32_t>(n);
  float* dlogits = a.dlogits.row<float>(n);
  if (!a.dscores)
    std::fill_n(dlogits, E, 0.0f);
  else if (a.dscores.data != a.dlogits.data)
    std::copy_n(a.dscores.row<float>(n), E, dlogits);
  float sum = 1e-20f, dot = 0;
  for (int64_t k = 0; k < K; ++k) sum += scores[ids[k]], dot += dweights[k] * scores[ids[k]];
  for (int64_t k = 0; k < K; ++k)
    dlogits[ids[k]] +=
        a.normalize ? (dweights[k] - dot / sum) / sum : dweights[k] * static_cast<float>(a.scaling);
  Vec product = hn::Zero(d);
  for_each_vector(E, [&](int64_t e, auto part) HWY_ATTR {
    product = hn::MulAdd(load(d, dlogits + e, part), load(d, scores + e, part), product);
  });
  const Vec mean = hn::Set(d, sum_lanes(d, product));
  for_each_vector(E, [&](int64_t e, auto part) HWY_ATTR {
    store(d, hn::Mul(load(d, scores + e, part), hn::Sub(load(d, dlogits + e, part), mean)), dlogits + e,
          part);
  });
}

}  // namespace

void router_forward(Device& device, const RouterForward& a) {
  with_dtype<float>("router_forward", a.logits.dtype, [&](float) {
    parallel_ranges(device.threads(), a.logits.rows(), 1, [&](int thread, int64_t begin, int64_t end) {
      const int64_t E = a.logits.cols();
      const Scratch scratch(device.scratch(thread, Scratch::bytes(E, a.n_groups)), E, a.n_groups);
      for (int64_t n = begin; n < end; ++n) route_token(a, n, scratch);
    });
  });
}

void router_backward(Device& device, const RouterBackward& a) {
  with_dtype<float>("router_backward", a.scores.dtype, [&](float) {
    parallel_ranges(device.threads(), a.scores.rows(), 1, [&](int, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) route_token_backward(a, n);
    });
  });
}

}  // namespace fathom::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace fathom::cpu {
FATHOM_SIMD_OP(router_forward, RouterForward)
FATHOM_SIMD_OP(router_backward, RouterBackward)
}  // namespace fathom::cpu
#endif
