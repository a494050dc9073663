#include "bench/bench.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/cpu/level.h"
#include "ops/limits.h"
#include "tensor/memory.h"

namespace fathom::bench {
namespace {

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A GPU is given enough work at a time to hide the launch cost.
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

std::string column(double value, double limit) {
  if (value == 0) return fmt::format("{:>10} {:>5}", "", "");
  return fmt::format("{:>10.2f} {:>4.0f}%", value * 1e-9, 100 * value / limit);
}

}  // namespace

std::string describe(const Device& device) {
  return device.on_host() ? fmt::format("{} threads, {}", device.threads(), cpu::name_of(cpu::level()))
                          : device.name();
}

Best measure_best(Device& device) {
  if (device.on_host()) return measure_best_of_cpu(device.threads());
  const Limits gpu = measure_limits(device, DType::bf16);
  return {.copy = gpu.bytes, .flops = gpu.operations, .flops_name = "bf16 matrix products"};
}

Bench::Bench(std::string filter, const std::string& device)
    : filter_(std::move(filter)), device_(Device::named(device)), limits_(measure_best(device_)) {
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
