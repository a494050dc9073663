// Copies between host and device memory, and within either. Where the device works on host memory these are
// plain copies, so code above the ops is written once. On a GPU they run in its stream, after the ops
// launched before.
#pragma once
#include <optional>

#include "tensor/arena.h"
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Copies between tensors of one shape and dtype; rows may be strided. An Error names what differs.
//   upload: host to device; the host's tensor may be changed as soon as it returns, unless it is page-locked
//   (Arena::pinned): then after synchronize().
void upload(const Device& device, const Tensor& to, const ConstTensor& from);
//   download: device to host; returns when the values are there.
void download(const Device& device, const Tensor& to, const ConstTensor& from);
//   download_later: the values are there after synchronize().
void download_later(const Device& device, const Tensor& to, const ConstTensor& from);
//   copy: both on the device; for ops that follow the values are there.
void copy(const Device& device, const Tensor& to, const ConstTensor& from);

// Copies what was allocated from a device's arena into a host arena of the same layout; there after
// synchronize().
void download_arena_later(const Device& device, const Arena& to, const Arena& from);

// Sets all bytes of a contiguous tensor to zero.
void clear(const Device& device, const Tensor& x);

// Waits until the device has finished all its work.
void synchronize(const Device& device);

// Bytes of a GPU's memory that are free; none where the device works on the host's.
std::optional<int64_t> free_memory(const Device& device);
// The same of those in use, by whatever is on that GPU.
std::optional<int64_t> used_memory(const Device& device);

// A host buffer for reading and writing device tensors one at a time. Where the host can access the tensors
// themselves, those are handed out and nothing is copied.
class Staging {
 public:
  // Tensors of at most `bytes` allocate nothing later: page-locked memory is allocated and freed only when
  // the GPU is idle.
  explicit Staging(const Device& device, int64_t bytes = 0);

  // fill(host tensor) writes every element of it; then `to` holds them.
  template <class Fill>
  void write(const Tensor& to, const Fill& fill) {
    if (device_.on_host()) return fill(to);
    const Tensor host = host_memory(to);
    fill(host);
    upload(device_, to, host);
    synchronize(device_);  // page-locked memory is read asynchronously
  }
  // The tensor's values, valid until the next call.
  ConstTensor read(const ConstTensor& from);

 private:
  void reserve(int64_t bytes);
  // Page-locked memory for a tensor of this shape.
  Tensor host_memory(const ConstTensor& t);

  const Device& device_;
  Arena memory_;
};

}  // namespace fathom
