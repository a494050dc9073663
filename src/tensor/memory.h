// Moving values between the host's memory and a device's. Where the device works on the host's memory these
// are plain copies, so code above the ops is written once. On a GPU they take their turn in its stream, after
// the ops given to it before.
#pragma once
#include "tensor/device.h"
#include "tensor/tensor.h"

namespace fathom {

// Copies between tensors of one shape and dtype; rows may be strided. An Error names what differs.
//   upload: host to device; the host's tensor may be changed as soon as it returns.
void upload(const Device& device, const Tensor& to, const Tensor& from);
//   download: device to host; returns when the values are there.
void download(const Device& device, const Tensor& to, const Tensor& from);
//   download_later: the values are there after synchronize().
void download_later(const Device& device, const Tensor& to, const Tensor& from);

// All bytes of a contiguous tensor become zero.
void clear(const Device& device, const Tensor& x);

// Waits until the device has done all it was given.
void synchronize(const Device& device);

}  // namespace fathom
