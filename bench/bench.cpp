#include "bench/bench.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/cpu/level.h"

namespace fathom::bench {
namespace {

double seconds(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median_seconds(const std::function<void()>& body) {
  body();
  std::vector<double> times;
  double total = 0;
  while (total < 0.2 || times.size() < 3) {
    times.push_back(seconds(body));
    total += times.back();
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

std::string column(double value, double limit) {
  if (value == 0) return fmt::format("{:>10} {:>5}", "", "");
  return fmt::format("{:>10.2f} {:>4.0f}%", value * 1e-9, 100 * value / limit);
}

}  // namespace

Bench::Bench(std::string filter) : filter_(std::move(filter)), limits_(measure_limits(device_.threads())) {
  fmt::print("{} threads, {}; limits: copy {:.1f} GB/s, FMA {:.1f} GFLOP/s\n", device_.threads(),
             cpu::name_of(cpu::level()), limits_.copy * 1e-9, limits_.fma * 1e-9);
  fmt::print("{:<56} {:>10} {:>10} {:>5} {:>10} {:>5}\n", "op, shape", "ms", "GB/s", "copy", "GFLOP/s",
             "FMA");
}

void Bench::row(const std::string& name, double bytes, double flops, const std::function<void()>& body) {
  if (name.find(filter_) == std::string::npos) return;
  const double time = median_seconds(body);
  fmt::print("{:<56} {:>10.3f} {} {}\n", name, time * 1e3, column(bytes / time, limits_.copy),
             column(flops / time, limits_.fma));
  std::fflush(stdout);
}

Tensor Bench::zeros(DType dtype, std::initializer_list<int64_t> shape) {
  const Tensor plan(nullptr, dtype, shape);
  arenas_.emplace_back("bench", plan.bytes() + 64);
  const Tensor t = arenas_.back().allocate(dtype, shape);
  std::fill_n(static_cast<char*>(t.data), t.bytes(), char{0});  // touches every page
  return t;
}

Tensor Bench::random(DType dtype, std::initializer_list<int64_t> shape, double scale) {
  const Tensor t = zeros(dtype, shape);
  std::vector<float> values(4099);  // repeated: nothing timed here depends on more
  for (float& v : values) v = static_cast<float>(rng_.normal() * scale);
  for (int64_t i = 0; i < t.count(); ++i) {
    const float v = values[i % values.size()];
    if (dtype == DType::bf16) t.as<bf16>()[i] = bf16(v);
    if (dtype == DType::f32) t.as<float>()[i] = v;
  }
  return t;
}

Tensor Bench::integers(std::initializer_list<int64_t> shape, const std::function<int32_t(int64_t)>& value) {
  const Tensor t = zeros(DType::i32, shape);
  for (int64_t i = 0; i < t.count(); ++i) t.as<int32_t>()[i] = value(i);
  return t;
}

}  // namespace fathom::bench
