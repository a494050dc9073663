// Time stamps in the order of a device's work: by the host's clock, or by events in a GPU's stream. Two marks
// around some ops say how long these took, without waiting for them.
#pragma once
#include <chrono>
#include <cstddef>
#include <vector>

#include "tensor/device.h"

struct CUevent_st;
struct CUstream_st;

namespace fathom {

class Clock {
 public:
  // The device must outlive it.
  explicit Clock(const Device& device) : device_(device) {}
  ~Clock();
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  // Begins again with mark 0.
  void restart() { count_ = 0; }
  // Returns the mark's number.
  size_t mark();
  // On a GPU: in the order of another stream's work.
  size_t mark_in(CUstream_st* stream);
  // Seconds from the first mark to mark i; the device must have come to it (synchronize).
  double seconds(size_t i) const { return seconds(0, i); }
  double seconds(size_t from, size_t to) const;

 private:
  const Device& device_;
  size_t count_ = 0;
  std::vector<std::chrono::steady_clock::time_point> marks_;
  std::vector<CUevent_st*> events_;
};

}  // namespace fathom
