// Moving values between the host's memory and a device's. Where the device works on the host's memory these
// are plain copies, so code above the ops is written once. On a GPU they take their turn in its stream, after
// the ops given to it before.
#pragma once
#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Copies between tensors of one shape and dtype; rows may be strided. An Error names what differs.
//   upload: host to device; the host's tensor may be changed as soon as it returns, unless it is page-locked
//   (Arena::pinned): then after synchronize().
void upload(const Device& device, const Tensor& to, const Tensor& from);
//   download: device to host; returns when the values are there.
void download(const Device& device, const Tensor& to, const Tensor& from);
//   download_later: the values are there after synchronize().
void download_later(const Device& device, const Tensor& to, const Tensor& from);

// What was allocated from a device's arena into the host's of the same layout; there after synchronize().
void download_arena_later(const Device& device, const Arena& to, const Arena& from);

// All bytes of a contiguous tensor become zero.
void clear(const Device& device, const Tensor& x);

// Waits until the device has done all it was given.
void synchronize(const Device& device);

// Host memory through which a device's tensors are written and read one at a time; where the host can reach
// the tensors themselves, it is those that are handed out, and nothing is copied.
class Staging {
 public:
  explicit Staging(const Device& device) : device_(device) {}

  // fill(host tensor) writes every element of it; then `to` holds them.
  template <class Fill>
  void write(const Tensor& to, const Fill& fill) {
    const Tensor host = like(to);
    fill(host);
    if (device_.on_host()) return;
    upload(device_, to, host);
    synchronize(device_);  // page-locked memory is read while the host goes on
  }
  // The tensor's values; they hold until the next call.
  Tensor read(const Tensor& from);

 private:
  Tensor like(const Tensor& t);

  const Device& device_;
  Arena memory_;
};

}  // namespace fathom
