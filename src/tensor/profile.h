// Times every op of a Device while a Profile is attached to it, with the bytes that the op must move and the
// operations that it must do at least.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tensor/clock.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Bytes of all these tensors; absent ones count as 0.
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
  // Later ops are not timed.
  void stop();

  // One call of an op; times in seconds, `begin` from the first call.
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
  Device& device_;
  Clock clock_;
  std::vector<Call> calls_;
  bool open_ = true;  // the times have not been read from the clock yet
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
