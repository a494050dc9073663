// How host memory is moved, the same on every rank.
#pragma once
#include <cstdint>

namespace fathom {

struct CommLimits {
  int64_t message_bytes = int64_t{1} << 30;    // longer tensors are sent in pieces; at most 2^31 - 1
  int64_t reduced_bytes = int64_t{512} << 10;  // that a reduction receives from each rank at a time
};

}  // namespace fathom
