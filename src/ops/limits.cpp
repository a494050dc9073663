#include "ops/limits.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "ops/linear.h"
#include "ops/scale.h"
#include "tensor/arena.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// The best of several runs that take 0.2 s together.
double best_seconds(Device& device, const std::function<void()>& body) {
  body();
  synchronize(device);
  double best = 1e30, total = 0;
  for (int i = 0; i < 3 || total < 0.2; ++i) {
    const auto start = std::chrono::steady_clock::now();
    body();
    synchronize(device);
    const double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::min(best, time), total += time;
  }
  return best;
}

}  // namespace

Limits measure_limits(Device& device, DType dtype) {
  const int64_t values = int64_t{1} << (device.on_host() ? 26 : 28), n = device.on_host() ? 1024 : 8192;
  Arena memory("measuring limits", std::max(4 * values, 3 * n * n * size_of(dtype)) + 256, device);
  const Tensor x = memory.allocate(DType::f32, {values});
  clear(device, x);  // touches every page
  const double moving = best_seconds(device, [&] { scale(device, {.x = x, .factor = 0.5}); });
  memory.rewind(0);
  const auto matrix = [&] { return memory.allocate(dtype, {n, n}); };
  const Tensor a = matrix(), b = matrix(), c = matrix();
  const double product = best_seconds(device, [&] { linear_forward(device, {.out = c, .x = a, .w = b}); });
  const auto size = static_cast<double>(n);
  return {8.0 * static_cast<double>(values) / moving, 2 * size * size * size / product};
}

double least_seconds(const Limits& limits, double bytes, double operations) {
  return std::max(bytes / limits.bytes, operations / limits.operations);
}

}  // namespace fathom
