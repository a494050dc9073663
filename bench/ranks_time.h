// Times of what ranks do together.
#pragma once
#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

#include "comm/communicator.h"
#include "tensor/memory.h"

namespace fathom::bench {

inline double median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

// Seconds of the slowest rank, from a common start; the same number on every rank.
inline double seconds_of_slowest(Communicator& comm, const Device& device,
                                 const std::function<void()>& body) {
  synchronize(device);
  comm.barrier();
  const auto start = std::chrono::steady_clock::now();
  body();
  synchronize(device);
  double time = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  comm.host().run(AllReduce{.x = Tensor(&time, DType::f64, {1}), .reduction = Reduction::max});
  return time;
}

// The median of several, after two that do not count.
inline double median_of_slowest(Communicator& comm, const Device& device, const std::function<void()>& body) {
  for (int i = 0; i < 2; ++i) body();
  std::vector<double> times;
  double total = 0;
  while (total < 0.3 || times.size() < 5) {
    times.push_back(seconds_of_slowest(comm, device, body));
    total += times.back();
  }
  return median(times);
}

}  // namespace fathom::bench
