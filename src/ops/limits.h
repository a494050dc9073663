// The speed limits of a device, measured with simple ops of our own. Profiles and benchmarks compare every op
// with them.
#pragma once
#include "tensor/device.h"
#include "tensor/dtype.h"

namespace fathom {

struct Limits {
  double bytes;       // moved per second by an op that does nothing else, far from the caches
  double operations;  // per second of a large matrix product in this dtype, two for a multiply-add
};

// Takes up to a second.
Limits measure_limits(Device& device, DType dtype);

// The least time these bytes and operations can take.
double least_seconds(const Limits& limits, double bytes, double operations);

}  // namespace fathom
