// How far the clocks of ranks are apart, so that what they time can stand on one time line. Steady clocks of
// two hosts have nothing to do with each other.
#pragma once
#include <functional>

#include "comm/communicator.h"

namespace fathom {

struct ClockOffset {
  double seconds = 0;  // to be added to this rank's clock: rank 0's
  double error = 0;    // at most: half of the shortest round trip
};

// This host's steady clock.
double steady_seconds();

// Of `now`, in seconds. Every rank calls it.
ClockOffset clock_offset(Communicator& ranks, const std::function<double()>& now = steady_seconds);

}  // namespace fathom
