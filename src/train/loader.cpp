#include "train/loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/rng.h"

namespace fathom {

bool exempt_from_dropping(uint64_t seed, int64_t window) {
  constexpr uint64_t stream = 0x64726f7070696e67;  // of this draw alone
  const uint32_t word = philox(seed, static_cast<uint64_t>(window), stream)[0];
  return static_cast<double>(word) * 0x1p-32 < 0.1;
}

Loader::Loader(const Windows& windows, WindowOrder order, StepSizes sizes, uint64_t seed,
               int64_t windows_read)
    : windows_(windows),
      order_(std::move(order)),
      sizes_(std::move(sizes)),
      seed_(seed),
      windows_read_(windows_read) {
  thread_ = std::thread([this] { work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

int64_t Loader::prepare(int64_t first, PackedStep& out) const {
  const int64_t n = sizes_.windows(first), micro = sizes_.micro_batch;
  out.micro_batches = (n + micro - 1) / micro;
  out.tokens = out.targets = 0, out.weight = 0;
  out.batches.resize(static_cast<size_t>(sizes_.replica.count(out.micro_batches)));
  auto packed = out.batches.begin();
  for (int64_t i = 0; i < out.micro_batches; ++i) {
    const int64_t begin = first + i * micro, size = std::min(micro, n - i * micro);
    WindowSize added;
    if (sizes_.replica.has(i)) {
      pack(begin, size, *packed);
      added = {packed->batch.size().tokens, packed->counted, packed->weight};
      ++packed;
    } else {
      for (int64_t w = begin; w < begin + size; ++w) added += windows_.size(order_(w));
    }
    out.tokens += added.tokens, out.targets += added.targets, out.weight += added.weight;
  }
  return n;
}

void Loader::pack(int64_t first, int64_t n, PackedBatch& out) const {
  std::vector<int64_t> places;
  for (int64_t i = first; i < first + n; ++i) places.push_back(order_(i));
  windows_.pack(places, out);
  std::vector<int32_t>& exempt = out.batch.exempt;
  for (size_t i = 0; i < exempt.size(); ++i)
    exempt[i] = exempt_from_dropping(seed_, first + static_cast<int64_t>(i));
}

void Loader::work() {
  int64_t first = windows_read_;
  std::unique_lock lock(mutex_);
  while (!stop_ && !error_) {
    if (full_) {
      changed_.wait(lock);
      continue;
    }
    lock.unlock();  // ready_ belongs to this thread while it is not full
    std::exception_ptr error;
    int64_t windows = 0;
    try {
      windows = prepare(first, ready_);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    first += windows;
    ready_windows_ = windows;
    error_ = error;
    full_ = true;
    changed_.notify_all();
  }
}

const PackedStep& Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return full_; });
  if (error_) std::rethrow_exception(error_);
  std::swap(ready_, current_);
  full_ = false;
  windows_read_ += ready_windows_;
  changed_.notify_all();
  return current_;
}

}  // namespace fathom
