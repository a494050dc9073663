#include "tensor/memory.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {
namespace {

enum class Direction { upload, download, within };

void check_same(const Tensor& to, const ConstTensor& from) {
  check(to.dtype == from.dtype && to.rank == from.rank && to.shape == from.shape, "cannot copy {} into {}",
        from.shape_text(), to.shape_text());
}

// A copy as rows: one row when both sides are contiguous.
struct Rows {
  int64_t rows, bytes, to_stride, from_stride;

  Rows(const Tensor& to, const ConstTensor& from) {
    const bool whole = to.contiguous() && from.contiguous();
    rows = whole ? 1 : to.rows();
    bytes = whole ? to.bytes() : to.cols() * size_of(to.dtype);
    to_stride = whole ? bytes : to.row_stride * size_of(to.dtype);
    from_stride = whole ? bytes : from.row_stride * size_of(from.dtype);
  }
};

void copy_rows(const Device& device, const Tensor& to, const ConstTensor& from,
               [[maybe_unused]] Direction direction) {
  check_same(to, from);
  if (to.count() == 0) return;
  const Rows r(to, from);
  if (device.on_host()) {
    for (int64_t i = 0; i < r.rows; ++i)
      std::memcpy(static_cast<std::byte*>(to.data) + i * r.to_stride,
                  static_cast<const std::byte*>(from.data) + i * r.from_stride, static_cast<size_t>(r.bytes));
    return;
  }
#if FATHOM_WITH_CUDA
  const cudaMemcpyKind kind = direction == Direction::upload     ? cudaMemcpyHostToDevice
                              : direction == Direction::download ? cudaMemcpyDeviceToHost
                                                                 : cudaMemcpyDeviceToDevice;
  const cudaStream_t stream = device.cuda_context().stream();
  const auto bytes = static_cast<size_t>(r.bytes);
  // Memory that is not page-locked is copied when the stream comes to it, before this returns.
  const CudaContext::HostWait waiting(device.cuda_context());
  // Pitches are limited to 2 GiB, contiguous copies are not.
  cuda_check(r.rows == 1 ? cudaMemcpyAsync(to.data, from.data, bytes, kind, stream)
                         : cudaMemcpy2DAsync(to.data, static_cast<size_t>(r.to_stride), from.data,
                                             static_cast<size_t>(r.from_stride), bytes,
                                             static_cast<size_t>(r.rows), kind, stream),
             "a copy to, from or within the GPU");
#endif
}

struct GpuMemory {
  int64_t free = 0, total = 0;
};
GpuMemory memory_of_gpu([[maybe_unused]] const Device& device) {
  size_t free = 0, total = 0;
#if FATHOM_WITH_CUDA
  device.cuda_context().synchronize();  // what was given back is free then
  cuda_check(cudaMemGetInfo(&free, &total), "asking for free memory");
#endif
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

}  // namespace

void upload(const Device& device, const Tensor& to, const ConstTensor& from) {
  copy_rows(device, to, from, Direction::upload);
}

void download(const Device& device, const Tensor& to, const ConstTensor& from) {
  copy_rows(device, to, from, Direction::download);
  synchronize(device);
}

void download_later(const Device& device, const Tensor& to, const ConstTensor& from) {
  copy_rows(device, to, from, Direction::download);
}

void copy(const Device& device, const Tensor& to, const ConstTensor& from) {
  copy_rows(device, to, from, Direction::within);
}

void download_arena_later(const Device& device, const Arena& to, const Arena& from) {
  assert(to.used() == from.used());
  const auto bytes = [](const Arena& arena) {
    return Tensor(arena.data(), DType::i32,
                  {arena.used() / size_of(DType::i32)});  // used() is a multiple of 64
  };
  copy_rows(device, bytes(to), bytes(from), Direction::download);
}

void clear(const Device& device, const Tensor& x) {
  assert(x.contiguous());
  if (x.count() == 0) return;
  if (device.on_host()) {
    std::memset(x.data, 0, static_cast<size_t>(x.bytes()));
    return;
  }
#if FATHOM_WITH_CUDA
  cuda_check(cudaMemsetAsync(x.data, 0, static_cast<size_t>(x.bytes()), device.cuda_context().stream()),
             "clearing GPU memory");
#endif
}

std::optional<int64_t> free_memory(const Device& device) {
  if (device.on_host()) return {};
  return memory_of_gpu(device).free;
}

std::optional<int64_t> used_memory(const Device& device) {
  if (device.on_host()) return {};
  const GpuMemory gpu = memory_of_gpu(device);
  return gpu.total - gpu.free;
}

Staging::Staging(const Device& device, int64_t bytes) : device_(device) {
  if (bytes > 0 && !device.on_host()) reserve(bytes);
}

void Staging::reserve(int64_t bytes) {
  if (memory_.planning() || memory_.size() < bytes)
    memory_ = Arena::pinned("staging", std::max<int64_t>(bytes, 1 << 20), device_);
}

Tensor Staging::host_memory(const ConstTensor& t) {
  reserve(t.bytes());
  Tensor host(memory_.data(), t.dtype, {});
  host.rank = t.rank, host.shape = t.shape;
  host.row_stride = t.cols();
  return host;
}

ConstTensor Staging::read(const ConstTensor& from) {
  if (device_.on_host()) return from;
  const Tensor host = host_memory(from);
  download(device_, host, from);
  return host;
}

void synchronize([[maybe_unused]] const Device& device) {
#if FATHOM_WITH_CUDA
  if (!device.on_host()) device.cuda_context().synchronize();
#endif
}

}  // namespace fathom
