#include "ops/router.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/group_score.h"

namespace fathom::reference {
namespace {

template <class T>
void softmax(const T* x, T* out, int64_t n) {
  const T max = *std::max_element(x, x + n);
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += out[i] = std::exp(x[i] - max);
  for (int64_t i = 0; i < n; ++i) out[i] /= sum;
}

// The index of the largest of those still open, the lowest among equals; it is then closed. NaN beats
// nothing.
template <class T>
int32_t take_best(const T* values, std::vector<bool>& open) {
  int32_t best = -1;
  for (int32_t i = 0; i < static_cast<int32_t>(open.size()); ++i)
    if (open[i] && (best < 0 || values[i] > values[best])) best = i;
  open[best] = false;
  return best;
}

// What experts are chosen by: their scores, with the bias if there is one.
template <class T>
std::vector<T> ranking(const T* scores, const Tensor& bias, int64_t E) {
  std::vector<T> values(scores, scores + E);
  for (int64_t e = 0; bias && e < E; ++e) values[e] += bias.as<T>()[e];
  return values;
}

// Which experts may be chosen: those of the groups with the highest score.
template <class T>
std::vector<bool> allowed_experts(const std::vector<T>& values, int n_groups, int topk_groups, bool of_two) {
  const auto E = static_cast<int64_t>(values.size()), size = E / n_groups;
  std::vector<T> best;
  for (int64_t first = 0; first < E; first += size) {
    GroupScore<T> group;
    for (int64_t e = first; e < first + size; ++e) group.add(values[e]);
    best.push_back(group.value(of_two));
  }
  std::vector<bool> allowed(E, false), open(n_groups, true);
  for (int i = 0; i < topk_groups; ++i) {
    const int32_t g = take_best(best.data(), open);
    std::fill_n(allowed.begin() + g * size, size, true);
  }
  return allowed;
}

}  // namespace

void router_forward(Device&, const RouterForward& a) {
  with_dtype<double, float>("router_forward", a.logits.dtype, [&]<class T>(T) {
    const int64_t E = a.logits.cols(), K = a.ids.cols();
    for (int64_t n = 0; n < a.logits.rows(); ++n) {
      T *scores = a.scores.row<T>(n), *weights = a.weights.row<T>(n);
      softmax(a.logits.row<T>(n), scores, E);
      const std::vector<T> values = ranking(scores, a.bias, E);
      std::vector<bool> open = allowed_experts(values, a.n_groups, a.topk_groups, static_cast<bool>(a.bias));
      T sum = static_cast<T>(1e-20);
      for (int64_t k = 0; k < K; ++k) {
        const int32_t id = take_best(values.data(), open);
        a.ids.row<int32_t>(n)[k] = id;
        sum += weights[k] = scores[id];
      }
      for (int64_t k = 0; k < K; ++k) weights[k] *= a.normalize ? 1 / sum : static_cast<T>(a.scaling);
    }
  });
}

// Normalised weights w = s / S: ds = (dw - sum(dw * w)) / S. Softmax: dlogits = s * (ds - sum(ds * s)).
void router_backward(Device&, const RouterBackward& a) {
  with_dtype<double, float>("router_backward", a.scores.dtype, [&]<class T>(T) {
    const int64_t E = a.scores.cols(), K = a.ids.cols();
    for (int64_t n = 0; n < a.scores.rows(); ++n) {
      const T *scores = a.scores.row<T>(n), *dweights = a.dweights.row<T>(n);
      const int32_t* ids = a.ids.row<int32_t>(n);
      T* dlogits = a.dlogits.row<T>(n);
      for (int64_t e = 0; e < E; ++e) dlogits[e] = a.dscores ? a.dscores.row<T>(n)[e] : T(0);
      T sum = static_cast<T>(1e-20), dot = 0;
      for (int64_t k = 0; k < K; ++k) sum += scores[ids[k]], dot += dweights[k] * scores[ids[k]];
      for (int64_t k = 0; k < K; ++k)
        dlogits[ids[k]] +=
            a.normalize ? (dweights[k] - dot / sum) / sum : dweights[k] * static_cast<T>(a.scaling);
      T mean = 0;
      for (int64_t e = 0; e < E; ++e) mean += dlogits[e] * scores[e];
      for (int64_t e = 0; e < E; ++e) dlogits[e] = scores[e] * (dlogits[e] - mean);
    }
  });
}

}  // namespace fathom::reference
