#include "tensor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "base/progress.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom {
namespace {

void unmap(CudaContext*, std::byte* memory, int64_t bytes) {
  munmap(memory, static_cast<size_t>(bytes) + 4096);
}

std::string after_semicolon(const std::string& remedy) {
  return remedy.empty() ? "" : "; " + remedy;
}

}  // namespace

Arena::Arena(std::string name, int64_t bytes, const std::string& remedy)
    : name_(std::move(name)), release_(unmap), size_(bytes) {
  // Anonymous pages: zero, and only those touched count as memory in use. One page more keeps empty arenas
  // non-null.
  void* p = mmap(nullptr, static_cast<size_t>(bytes) + 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(p != MAP_FAILED, "not enough memory for {}: asked for {}{}", name_,
        human_bytes(static_cast<double>(bytes)), after_semicolon(remedy));
  madvise(p, static_cast<size_t>(bytes) + 4096, MADV_HUGEPAGE);
  memory_ = static_cast<std::byte*>(p);
}

Arena::Arena(std::string name, int64_t bytes, const Device& device, const std::string& remedy) {
  if (device.on_host()) {
    *this = Arena(std::move(name), bytes, remedy);
    return;
  }
#if FATHOM_WITH_CUDA
  name_ = std::move(name);
  memory_ = allocate_on_gpu(device.cuda_context(), name_, bytes, after_semicolon(remedy));
  owner_ = &device.cuda_context();
  release_ = [](CudaContext* owner, std::byte* memory, int64_t) { free_on_gpu(*owner, memory); };
  size_ = bytes;
#endif
}

Arena Arena::pinned(std::string name, int64_t bytes, [[maybe_unused]] const Device& device) {
#if FATHOM_WITH_CUDA
  if (!device.on_host()) {
    Arena arena;
    arena.name_ = std::move(name);
    arena.memory_ = allocate_pinned(arena.name_, bytes);
    arena.release_ = [](CudaContext*, std::byte* memory, int64_t) { free_pinned(memory); };
    arena.size_ = bytes;
    return arena;
  }
#endif
  return Arena(std::move(name), bytes);
}

Arena::~Arena() {
  if (memory_) release_(owner_, memory_, size_);
}

Arena::Arena(Arena&& other) noexcept {
  *this = std::move(other);
}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(memory_, other.memory_);
  std::swap(release_, other.release_);
  std::swap(owner_, other.owner_);
  std::swap(size_, other.size_);
  std::swap(used_, other.used_);
  std::swap(peak_, other.peak_);
  return *this;
}

Tensor Arena::allocate(DType dtype, std::initializer_list<int64_t> shape) {
  Tensor t(nullptr, dtype, shape);
  const int64_t begin = used_, end = begin + (t.bytes() + 63) / 64 * 64;
  if (memory_) {
    check(end <= size_, "{}: out of room, {} of {} bytes used and {} asked for", name_, used_, size_,
          t.bytes());
    t.data = memory_ + begin;
  }
  used_ = end;
  peak_ = std::max(peak_, used_);
  return t;
}

void Arena::rewind(int64_t used) {
  assert(used >= 0 && used <= used_);
  used_ = used;
}

}  // namespace fathom
