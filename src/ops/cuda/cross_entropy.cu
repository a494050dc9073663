// A block per row: one pass for the sum of exponentials, relative to the running maximum, one for the
// gradient.
#include "ops/cross_entropy.h"

#include "ops/cuda/vec.cuh"

namespace fathom::cuda {
namespace {

constexpr int threads = 512;

// Of softmax(x * inverse), with y[v] = (x[v] - max) * inverse: log p[v] = (x[v] - log_sum_exp) * inverse. The
// entropy is log(sum e^y) - (sum y e^y) / (sum e^y), whose two terms are not negative.
struct Softmax {
  float log_sum_exp, entropy;
};

// The sums over the elements that a thread has seen, relative to their maximum.
template <bool with_entropy>
struct Sums {
  float max = -INFINITY, exp = 0, weighted = 0;

  __device__ void move_to(float new_max, float inverse) {
    if (max == -INFINITY) {  // nothing to move, but a NaN stays one
      max = new_max;
      return;
    }
    const float by = (max - new_max) * inverse, factor = expf(by);
    if (with_entropy) weighted = factor == 0 ? 0 : (weighted + by * exp) * factor;
    exp *= factor;
    max = new_max;
  }
  __device__ void add(float x, float inverse) {
    if (x == -INFINITY) return;
    const float y = (x - max) * inverse, e = expf(y);  // a NaN stays one
    exp += e;
    if (with_entropy && e != 0) weighted += y * e;  // where e is 0, y may be -infinity
  }
};

template <int n, bool with_entropy>
__device__ Softmax softmax(const float* x, int64_t V, float inverse) {
  Sums<with_entropy> sums;
  for (int64_t v = threadIdx.x * n; v < V; v += threads * n) {
    const Vec<n> values = load<n>(x + v);
    float largest = sums.max;
    for (int j = 0; j < n; ++j) largest = fmaxf(largest, values.v[j]);
    if (largest > sums.max) sums.move_to(largest, inverse);
    for (int j = 0; j < n; ++j) sums.add(values.v[j], inverse);
  }
  sums.move_to(block_max(sums.max), inverse);
  const float sum = block_sum(sums.exp), log_sum = logf(sum);
  return {sums.max + log_sum / inverse, with_entropy ? log_sum - block_sum(sums.weighted) / sum : 0};
}

struct Arguments {
  float *losses, *entropies;
  const float* logits;
  int64_t stride, d_stride, V;
  const int32_t* targets;
  const float* weights;
  float scale, inverse;  // scale times inverse temperature; inverse temperature
};

template <int n, bool with_entropy, class T>
__global__ void loss(const __grid_constant__ Arguments a, T* dlogits) {
  const int64_t row = blockIdx.x;
  const int32_t target = a.targets[row];
  const float* x = a.logits + row * a.stride;
  const bool ignored = target == CrossEntropy::ignore;
  const float weight = ignored ? 0 : a.weights ? a.weights[row] : 1, scale = a.scale * weight;
  const bool skipped = weight == 0;
  const Softmax softmax_x = skipped ? Softmax{} : softmax<n, with_entropy>(x, a.V, a.inverse);
  const float lse = softmax_x.log_sum_exp;
  if (threadIdx.x == 0) {
    a.losses[row] = skipped ? 0 : weight * ((lse - x[target]) * a.inverse);
    if (with_entropy) a.entropies[row] = softmax_x.entropy;
  }
  if (!dlogits) return;
  __syncthreads();  // dlogits may be the logits themselves
  T* d = dlogits + row * a.d_stride;
  for (int64_t v = threadIdx.x * n; v < a.V; v += threads * n) {
    Vec<n> p = load<n>(x + v);
    for (int j = 0; j < n; ++j)
      p.v[j] = skipped ? 0 : scale * (expf((p.v[j] - lse) * a.inverse) - (v + j == target ? 1 : 0));
    store(d + v, p);
  }
}

}  // namespace

void cross_entropy(Device& device, const CrossEntropy& a) {
  with_dtype<float>("cross_entropy", a.logits.dtype, [&](float) {
    const Arguments arguments{.losses = data<float>(a.losses),
                              .entropies = data<float>(a.entropies),
                              .logits = data<float>(a.logits),
                              .stride = a.logits.row_stride,
                              .d_stride = a.dlogits.row_stride,
                              .V = a.logits.cols(),
                              .targets = data<int32_t>(a.targets),
                              .weights = data<float>(a.weights),
                              .scale = static_cast<float>(a.scale / a.temperature),
                              .inverse = static_cast<float>(1 / a.temperature)};
    with_dtype<float, bf16>("cross_entropy", a.dlogits ? a.dlogits.dtype : DType::f32, [&]<class T>(T) {
      with_vec_width(all_vectorizable(a.logits, a.dlogits), [&](auto n) {
        const auto kernel = a.entropies ? loss<n, true, gpu_t<T>> : loss<n, false, gpu_t<T>>;
        launch(device, dim3(static_cast<unsigned>(a.logits.rows())), threads, 0, kernel, arguments,
               data<T>(a.dlogits));
      });
    });
  });
}

}  // namespace fathom::cuda
