#include "bench/bench.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/cpu/level.h"
#include "ops/elementwise.h"
#include "ops/linear.h"
#include "tensor/memory.h"

namespace fathom::bench {
namespace {

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A GPU is given enough work at a time to hide what it costs to hand it over.
double median_seconds(Device& device, const std::function<void()>& body) {
  body();
  synchronize(device);
  const int at_once = device.on_host() ? 1 : 20;
  std::vector<double> times;
  double total = 0;
  while (total < 0.2 || times.size() < 3) {
    const double time = seconds([&] {
      for (int i = 0; i < at_once; ++i) body();
      synchronize(device);
    });
    times.push_back(time / at_once);
    total += time;
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

// What a GPU does at best: the largest of our ops that only move bytes, and a large product of bf16 matrices.
Limits measure_gpu_limits(Device& device) {
  constexpr int64_t n = int64_t{1} << 28, size = 8192;
  Arena memory("limits", std::max<int64_t>(4 * n, 3 * 2 * size * size), device);
  const Tensor x = memory.allocate(DType::f32, {n});
  const double copy = 8.0 * n / median_seconds(device, [&] { scale(device, {.x = x, .factor = 0.5}); });
  memory.rewind(0);
  const auto matrix = [&] { return memory.allocate(DType::bf16, {size, size}); };
  const Tensor a = matrix(), b = matrix(), c = matrix();
  const double product =
      median_seconds(device, [&] { linear_forward(device, {.out = c, .x = a, .w = b, .bias = {}}); });
  return {.copy = copy, .flops = 2.0 * size * size * size / product, .flops_name = "bf16 matrix product"};
}

std::string column(double value, double limit) {
  if (value == 0) return fmt::format("{:>10} {:>5}", "", "");
  return fmt::format("{:>10.2f} {:>4.0f}%", value * 1e-9, 100 * value / limit);
}

}  // namespace

std::string describe(const Device& device) {
  return device.on_host() ? fmt::format("{} threads, {}", device.threads(), cpu::name_of(cpu::level()))
                          : device.name();
}

Limits measure_limits(Device& device) {
  return device.on_host() ? measure_cpu_limits(device.threads()) : measure_gpu_limits(device);
}

Bench::Bench(std::string filter, const std::string& device)
    : filter_(std::move(filter)), device_(Device::named(device)), limits_(measure_limits(device_)) {
  fmt::print("{}; limits: copy {:.1f} GB/s, {} {:.1f} GFLOP/s\n", describe(device_), limits_.copy * 1e-9,
             limits_.flops_name, limits_.flops * 1e-9);
  fmt::print("{:<56} {:>10} {:>10} {:>5} {:>10} {:>5}\n", "op, shape", "ms", "GB/s", "copy", "GFLOP/s",
             "limit");
}

void Bench::row(const std::string& name, double bytes, double flops, const std::function<void()>& body) {
  if (name.find(filter_) == std::string::npos) return;
  const double time = median_seconds(device_, body);
  fmt::print("{:<56} {:>10.3f} {} {}\n", name, time * 1e3, column(bytes / time, limits_.copy),
             column(flops / time, limits_.flops));
  std::fflush(stdout);
}

Tensor Bench::zeros(DType dtype, std::initializer_list<int64_t> shape) {
  const Tensor plan(nullptr, dtype, shape);
  arenas_.emplace_back("bench", plan.bytes() + 64, device_);
  const Tensor t = arenas_.back().allocate(dtype, shape);
  fathom::clear(device_, t);  // touches every page
  return t;
}

Tensor Bench::random(DType dtype, std::initializer_list<int64_t> shape, double scale) {
  const Tensor t = zeros(dtype, shape);
  std::vector<float> values(4099);  // repeated: nothing timed here depends on more
  for (float& v : values) v = static_cast<float>(rng_.normal() * scale);
  Staging(device_).write(t, [&](const Tensor& host) {
    for (int64_t i = 0; i < t.count(); ++i) {
      const float v = values[i % values.size()];
      if (dtype == DType::bf16) host.as<bf16>()[i] = bf16(v);
      if (dtype == DType::f32) host.as<float>()[i] = v;
    }
  });
  return t;
}

Tensor Bench::integers(std::initializer_list<int64_t> shape, const std::function<int32_t(int64_t)>& value) {
  const Tensor t = zeros(DType::i32, shape);
  Staging(device_).write(t, [&](const Tensor& host) {
    for (int64_t i = 0; i < t.count(); ++i) host.as<int32_t>()[i] = value(i);
  });
  return t;
}

}  // namespace fathom::bench
