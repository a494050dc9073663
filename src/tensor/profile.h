// Where the time of a step goes: while a Profile is attached to a Device, every op given to it is timed, with
// the bytes it must move and the operations it must do at least.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Bytes of all these tensors; absent ones count nothing.
template <class... Tensors>
double moves(const Tensors&... tensors) {
  return (0.0 + ... + (tensors ? static_cast<double>(tensors.bytes()) : 0.0));
}

class Profile {
 public:
  // Attaches itself; the device must outlive it.
  explicit Profile(Device& device);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void begin(const char* op);
  void end(double bytes, double operations);
  // Ops from here on are not timed.
  void stop();

  // One op's calls, in seconds from the first op's beginning.
  struct Call {
    const char* op;
    double begin, seconds, bytes, operations;
  };
  // All calls in order. Waits for the device.
  const std::vector<Call>& calls();

  // All calls of one op, added up.
  struct Row {
    std::string op;
    int64_t calls = 0;
    double seconds = 0, bytes = 0, operations = 0;
  };
  // The op that took longest first.
  std::vector<Row> rows();

 private:
  class Clock;  // the host's clock, or events in a GPU's stream
  Device& device_;
  std::unique_ptr<Clock> clock_;
  std::vector<Call> calls_;
  bool open_ = true;  // times are yet to be read from the clock
};

// Times one op, from when it is made to end(), if a profile is attached.
class ProfileSpan {
 public:
  ProfileSpan(const Device& device, const char* op) : profile_(device.profile()) {
    if (profile_) profile_->begin(op);
  }
  // cost() -> {bytes, operations}
  template <class CostOf>
  void end(const CostOf& cost) {
    if (!profile_) return;
    const auto [bytes, operations] = cost();
    profile_->end(bytes, operations);
  }

 private:
  Profile* profile_;
};

}  // namespace fathom
