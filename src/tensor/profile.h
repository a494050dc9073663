// Times every op of a Device while a Profile is attached to it, with the bytes that the op must move and the
// operations that it must do at least; and, of several ranks, how long data travelled between them and when
// the device waited for it (comm/).
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <variant>
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
  using HostTime = std::chrono::steady_clock::time_point;
  // A mark of this profile's clock, or a time of the host's.
  using Moment = std::variant<size_t, HostTime>;

  // Attaches itself; the device must outlive it. On a GPU it waits for it.
  explicit Profile(Device& device);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  // Forgets everything and starts again; what is under way is known still. On a GPU it waits for it.
  void restart();
  // Later ops are not timed.
  void stop();

  void begin(const char* op);
  void end(double bytes, double operations);

  size_t mark() { return clock_.mark(); }
  size_t mark_in(CUstream_st* stream) { return clock_.mark_in(stream); }
  void add_part(std::string name, size_t begin, size_t end);
  void add_wait(const char* collective, size_t begin, size_t end);
  struct Span {
    Moment begin, end;
  };
  void add_transfer(const char* collective, double bytes, const Span& span);

  // What follows is known when the profile has stopped: each call stops it and waits for the device. Times
  // are in seconds, `begin` from the last (re)start; of what was under way then it is negative.

  // One call of an op.
  struct Call {
    const char* op;
    double begin, seconds, bytes, operations;
  };
  // Something that ops and waits are parts of, such as a pass of a micro-batch.
  struct Part {
    std::string name;
    double begin, seconds;
  };
  // No op runs: the host starts a collective, or the device (with host memory, the host) waits for one.
  struct Wait {
    const char* collective;
    double begin, seconds;
  };
  // From the start of a collective until it was done: beside ops where nobody waits.
  struct Transfer {
    const char* collective;
    double begin, seconds, bytes;
  };
  // All of them in order.
  const std::vector<Call>& calls() { return read(), calls_; }
  const std::vector<Part>& parts() { return read(), parts_; }
  const std::vector<Wait>& waits() { return read(), waits_; }
  const std::vector<Transfer>& transfers() { return read(), transfers_; }
  // To the stop.
  double seconds() { return read(), seconds_; }
  // Of the last (re)start.
  HostTime host_begin() const { return host_begin_; }
  // Tells profiles apart, and so whose marks are meant.
  HostTime made() const { return made_; }

  // All calls of one op, added up.
  struct Row {
    std::string op;
    int64_t calls = 0;
    double seconds = 0, bytes = 0, operations = 0;
  };
  // The op that took longest first.
  std::vector<Row> rows();

 private:
  double seconds_at(const Moment& moment) const;
  // Moments become times, once.
  void read();

  Device& device_;
  Clock clock_;
  const HostTime made_ = HostTime::clock::now();
  size_t begin_ = 0, end_ = 0;  // marks of the last (re)start and of the stop
  HostTime host_begin_;
  double seconds_ = 0;
  std::vector<Call> calls_;
  std::vector<Part> parts_;
  std::vector<Wait> waits_;
  std::vector<Transfer> transfers_;
  std::vector<Span> call_spans_, part_spans_, wait_spans_, transfer_spans_;  // of each of them
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

// Names what happens during its life a part, if a profile is attached; a number that is not negative follows
// the name.
class ProfilePart {
 public:
  explicit ProfilePart(const Device& device, const char* name, int64_t number = -1)
      : profile_(device.profile()), name_(name), number_(number), begin_(profile_ ? profile_->mark() : 0) {}
  ~ProfilePart();
  ProfilePart(const ProfilePart&) = delete;
  ProfilePart& operator=(const ProfilePart&) = delete;

 private:
  Profile* profile_;
  const char* name_;
  int64_t number_;
  size_t begin_;
};

}  // namespace fathom
