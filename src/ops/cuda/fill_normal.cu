// A thread per number, with the arithmetic of base/box_muller.inc in intrinsics that are never contracted.
#include "ops/fill_normal.h"

#include "ops/cuda/kernel.cuh"

namespace fathom::cuda {
namespace {

#define FATHOM_BOX_MULLER __device__ inline
#include "base/box_muller.inc"

constexpr int threads = 256;

struct DeviceOps {
  using V = double;
  using U = uint64_t;
  __device__ static V number(double x) { return x; }
  __device__ static U integer(uint64_t n) { return n; }
  __device__ static V real(U n) { return __longlong_as_double(static_cast<long long>(n)); }
  __device__ static U bits(V x) { return static_cast<uint64_t>(__double_as_longlong(x)); }
  __device__ static V mul(V a, V b) { return __dmul_rn(a, b); }
  __device__ static V add(V a, V b) { return __dadd_rn(a, b); }
  __device__ static V sub(V a, V b) { return __dsub_rn(a, b); }
  __device__ static V div(V a, V b) { return __ddiv_rn(a, b); }
  __device__ static V sqrt(V a) { return __dsqrt_rn(a); }
  __device__ static U and_(U a, U b) { return a & b; }
  __device__ static U and_not(U not_a, U b) { return ~not_a & b; }
  __device__ static U or_(U a, U b) { return a | b; }
  __device__ static U xor_(U a, U b) { return a ^ b; }
  __device__ static U add_integer(U a, U b) { return a + b; }
  __device__ static U sub_integer(U a, U b) { return a - b; }
  template <int n>
  __device__ static U shift_right(U a) {
    return a >> n;
  }
  template <int n>
  __device__ static U shift_left(U a) {
    return a << n;
  }
  __device__ static U mul32(U a, U b) {
    return static_cast<uint64_t>(static_cast<uint32_t>(a)) * static_cast<uint32_t>(b);
  }
};

template <class T>
__global__ void fill(T* out, int64_t count, double std, uint64_t seed, uint64_t stream, uint64_t first) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * threads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += step) {
    const auto words = philox_words<DeviceOps>(seed, first + static_cast<uint64_t>(i), stream);
    const double x = __dmul_rn(box_muller<DeviceOps>(words.w0, words.w1), std);
    out[i] = from_float<T>(__double2float_rn(x));
  }
}

}  // namespace

void fill_normal(Device& device, const FillNormal& a) {
  with_dtype<float, bf16>("fill_normal", a.out.dtype, [&]<class T>(T) {
    const int64_t max_blocks = 64 * device.cuda_context().multiprocessors();
    const dim3 grid(static_cast<unsigned>(std::min(max_blocks, ceil_div(a.out.count(), threads))));
    launch(device, grid, threads, 0, fill<gpu_t<T>>, data<T>(a.out), a.out.count(), a.std, a.seed, a.stream,
           a.first);
  });
}

}  // namespace fathom::cuda
