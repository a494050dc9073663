// A table of timings. Every row is compared with the limits of this machine: the measured speed of a memory
// copy and the measured peak of fused multiply-adds, with as many threads as the ops use.
//
//   void rmsnorm_rows(Bench& b) {
//     const Tensor x = b.random(DType::f32, {4096, 2048}), ...;
//     b.row("rmsnorm_forward 4096x2048 f32", bytes moved, flops done, [&] { rmsnorm_forward(b.device(),
//     {...}); });
//   }
//
// A new file of rows adds its function to ops/rows.h and ops/main.cpp.
#pragma once
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "base/rng.h"
#include "tensor/arena.h"
#include "tensor/device.h"

namespace fathom::bench {

struct Best {
  double copy;             // bytes read plus bytes written, per second
  double flops;            // operations per second, two for a multiply-add
  const char* flops_name;  // which: f32 multiply-adds from registers, or on a GPU a large bf16 matrix product
};
Best measure_best(Device& device);
Best measure_best_of_cpu(int threads);
// "2 threads, avx2" or the GPU's name.
std::string describe(const Device& device);

class Bench {
 public:
  // Only rows whose name contains `filter` are run, on the device of this name.
  Bench(std::string filter, const std::string& device);

  Device& device() { return device_; }

  // Times body (warm-up, then repeats for at least 0.2 s) and prints the median as one row. `bytes` is what
  // must be read and written at least; 0 bytes or flops leave that column empty.
  void row(const std::string& name, double bytes, double flops, const std::function<void()>& body);
  // False if the filter leaves out every row whose name starts with this: to skip preparing their data.
  bool wants(const std::string& start) const {
    return start.find(filter_) != std::string::npos || filter_.find(start) != std::string::npos;
  }

  // Memory for one file's rows, freed by clear(). `random` is normal values times `scale`.
  Tensor zeros(DType dtype, std::initializer_list<int64_t> shape);
  Tensor random(DType dtype, std::initializer_list<int64_t> shape, double scale = 1);
  Tensor integers(std::initializer_list<int64_t> shape, const std::function<int32_t(int64_t)>& value);
  void clear() { arenas_.clear(); }

 private:
  std::string filter_;
  Device device_;
  Best limits_;
  std::vector<Arena> arenas_;
  Rng rng_{1};
};

}  // namespace fathom::bench
