// One test body for every backend, dtype and instruction set. A test makes Pairs: the same values as an f64
// tensor for the reference backend and as a tensor of the target's dtype; `run` executes the op on both sides
// and every output is then compared under the one tolerance table. Outputs start as NaN, so an unwritten
// element fails.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "ops/cpu/level.h"
#include "support/compare.h"
#include "support/gpus.h"
#include "tensor/device.h"
#include "tensor/memory.h"
#include "tensor/tensor.h"
#if FATHOM_WITH_CUDA
#include <cuda_runtime_api.h>
#endif

namespace fathom::testing {

struct Target {
  Backend backend;
  DType dtype;
  cpu::Level level;
};

// The reference backend in f32 (its template, checked against itself in f64), the cpu backend in f32 and bf16
// at every level this processor has, and the cuda backend in both where there is a GPU.
inline std::vector<Target> all_targets() {
  std::vector<Target> targets = {{Backend::reference, DType::f32, cpu::Level::portable}};
  for (cpu::Level level : cpu::supported_levels())
    for (DType dtype : {DType::f32, DType::bf16}) targets.push_back({Backend::cpu, dtype, level});
  if (gpus() > 0)
    for (DType dtype : {DType::f32, DType::bf16})
      targets.push_back({Backend::cuda, dtype, cpu::Level::portable});
  return targets;
}

inline std::string target_name(const ::testing::TestParamInfo<Target>& info) {
  const Target& t = info.param;
  if (t.backend == Backend::reference) return "reference_" + std::string(name_of(t.dtype));
  if (t.backend == Backend::cuda) return "cuda_" + std::string(name_of(t.dtype));
  return "cpu_" + std::string(name_of(t.level)) + "_" + std::string(name_of(t.dtype));
}

struct Pair {
  Tensor ref;     // f64 (or i32), for the reference backend
  Tensor target;  // the target's dtype, for the device under test
};

class OpTest : public ::testing::TestWithParam<Target> {
 protected:
  OpTest() : device_(device_of(GetParam().backend, 3)) {
    if (GetParam().backend == Backend::cpu) cpu::force_level(GetParam().level);
  }
  ~OpTest() override { cpu::force_level(cpu::supported_levels().back()); }

  // Tests look at results as soon as an op returns, so that on a GPU each op is waited for.
  static Device device_of(Backend backend, int threads) {
    setenv("FATHOM_CUDA_SYNC", "1", 0);
    if (backend == Backend::cuda) return Device::cuda();
    return backend == Backend::cpu ? Device::cpu(threads) : Device::reference();
  }

  using Shape = std::initializer_list<int64_t>;
  DType any() const { return GetParam().dtype; }
  DType stat() const { return any() == DType::f64 ? DType::f64 : DType::f32; }

  // Readable and writable from both sides: tests look at a GPU's tensors as at the host's.
  Tensor memory(DType dtype, Shape shape) {
    Tensor t(nullptr, dtype, shape);
    const auto bytes = static_cast<size_t>(t.bytes()) + 64;
    blocks_.push_back(device_.on_host() ? Block(new std::byte[bytes], free_on_host) : shared_block(bytes));
    t.data = blocks_.back().get() + (64 - reinterpret_cast<uintptr_t>(blocks_.back().get()) % 64) % 64;
    return t;
  }

  // Filled element by element with value(i); both sides hold the same number, rounded to `dtype`.
  Pair filled(Shape shape, DType dtype, const std::function<double(int64_t)>& value) {
    Pair p{memory(DType::f64, shape), memory(dtype, shape)};
    for (int64_t i = 0; i < p.ref.count(); ++i) {
      const double v = value(i);
      if (dtype == DType::bf16) p.target.as<bf16>()[i] = bf16(static_cast<float>(v));
      if (dtype == DType::f32) p.target.as<float>()[i] = static_cast<float>(v);
      if (dtype == DType::f64) p.target.as<double>()[i] = v;
      p.ref.as<double>()[i] = element(p.target.reshape({p.target.count()}), 0, i);
    }
    return p;
  }
  // Normal values times `scale`, of the activation type.
  Pair random(Shape shape, double scale = 1) {
    return filled(shape, any(), [&](int64_t) { return rng_.normal() * scale; });
  }
  Pair random_stat(Shape shape, double scale = 1) {
    return filled(shape, stat(), [&](int64_t) { return rng_.normal() * scale; });
  }
  // Outputs: NaN until written.
  Pair output(Shape shape) {
    return filled(shape, any(), [](int64_t) { return NAN; });
  }
  Pair output_stat(Shape shape) {
    return filled(shape, stat(), [](int64_t) { return NAN; });
  }
  Pair integers(Shape shape, const std::vector<int32_t>& values) {
    Pair p{memory(DType::i32, shape), memory(DType::i32, shape)};
    for (int64_t i = 0; i < p.ref.count(); ++i)
      p.ref.as<int32_t>()[i] = p.target.as<int32_t>()[i] = values.at(i);
    return p;
  }
  Pair integers(Shape shape) {  // an output: a value no op writes
    Pair p{memory(DType::i32, shape), memory(DType::i32, shape)};
    for (int64_t i = 0; i < p.ref.count(); ++i)
      p.ref.as<int32_t>()[i] = p.target.as<int32_t>()[i] = std::numeric_limits<int32_t>::min();
    return p;
  }

  // Runs op(arguments) on both sides. `arguments(pick)` builds the argument struct; pick(pair) is the tensor
  // of the side that is being run.
  template <class Op, class Arguments>
  void run(Op op, const Arguments& arguments) {
    Device reference = Device::reference();
    op(reference, arguments([](const Pair& p) { return p.ref; }));
    op(device_, arguments([](const Pair& p) { return p.target; }));
  }

  // NaN in the rows from `first` on.
  static void poison(const Pair& p, int64_t first) {
    for (int64_t r = first; r < p.ref.rows(); ++r)
      for (int64_t c = 0; c < p.ref.cols(); ++c) {
        p.ref.row<double>(r)[c] = NAN;
        if (p.target.dtype == DType::f32) p.target.row<float>(r)[c] = NAN;
        if (p.target.dtype == DType::bf16) p.target.row<bf16>(r)[c] = bf16(NAN);
      }
  }

  static Pair columns(const Pair& p, int64_t begin, int64_t width) {
    return {p.ref.columns(begin, width), p.target.columns(begin, width)};
  }

  // slack multiplies the table's tolerance where an op is a longer chain than one rounding; say why at the
  // call.
  void expect_close(const char* name, const Pair& p, double slack = 1) {
    if (p.ref.dtype == DType::i32) {
      for (int64_t r = 0; r < p.ref.rows(); ++r)
        for (int64_t c = 0; c < p.ref.cols(); ++c)
          ASSERT_EQ(element(p.target, r, c), element(p.ref, r, c)) << name << " at " << r << ", " << c;
      return;
    }
    EXPECT_LE(relative_error(p.target, p.ref), slack * tolerance(p.target.dtype)) << name;
  }

  // d(sum of outputs * weights)/d(input) by central differences in f64 on the reference backend, against
  // `gradient`. forward() must recompute output from input. `gradient` is the f64 side of the analytic
  // gradient.
  void expect_gradient(const char* name, const Tensor& input, const Tensor& gradient, const Tensor& output,
                       const Tensor& output_weights, const std::function<void(Device&)>& forward) {
    Device reference = Device::reference();
    const double h = 1e-5;
    auto objective = [&] {
      forward(reference);
      double sum = 0;
      for (int64_t r = 0; r < output.rows(); ++r)
        for (int64_t c = 0; c < output.cols(); ++c)
          sum += output.row<double>(r)[c] * output_weights.row<double>(r)[c];
      return sum;
    };
    double difference = 0, norm = 0;
    for (int64_t r = 0; r < input.rows(); ++r)
      for (int64_t c = 0; c < input.cols(); ++c) {
        double& x = input.row<double>(r)[c];
        const double saved = x;
        x = saved + h;
        const double up = objective();
        x = saved - h;
        const double down = objective();
        x = saved;
        const double numeric = (up - down) / (2 * h), analytic = gradient.row<double>(r)[c];
        difference += (numeric - analytic) * (numeric - analytic), norm += numeric * numeric;
      }
    objective();
    // Central differences are good to h^2 and to rounding / h: about 1e-9 here.
    EXPECT_LE(std::sqrt(difference), 1e-7 * std::sqrt(norm) + 1e-9) << name;
  }

  Device device_;
  Rng rng_{20260101};

 private:
  using Block = std::unique_ptr<std::byte, void (*)(std::byte*)>;

  static void free_on_host(std::byte* memory) { delete[] memory; }
  static Block shared_block([[maybe_unused]] size_t bytes) {
    void* memory = nullptr;
#if FATHOM_WITH_CUDA
    if (cudaMallocManaged(&memory, bytes) != cudaSuccess) fail("no shared memory");
    return Block(static_cast<std::byte*>(memory), [](std::byte* block) { cudaFree(block); });
#endif
    return Block(static_cast<std::byte*>(memory), free_on_host);
  }

  std::vector<Block> blocks_;
};

#define FATHOM_OP_TEST(Fixture)                                                                 \
  INSTANTIATE_TEST_SUITE_P(All, Fixture, ::testing::ValuesIn(::fathom::testing::all_targets()), \
                           ::fathom::testing::target_name)

}  // namespace fathom::testing
