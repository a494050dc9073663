#include "train/loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "train/shuffle.h"

namespace fathom {

int64_t window_count(int64_t tokens, int64_t sequence_length) {
  return std::max<int64_t>(0, (tokens - 1) / sequence_length);
}

void pack_windows(const TokenShards& shards, const Packing& packing, std::span<const int64_t> windows,
                  PackedBatch& out) {
  const int64_t T = packing.sequence_length, N = T * static_cast<int64_t>(windows.size());
  const TokenVocabulary& vocabulary = shards.vocabulary();
  HostBatch& batch = out.batch;
  for (auto* part : {&batch.tokens, &batch.positions, &out.targets}) part->resize(static_cast<size_t>(N));
  batch.sequence_starts.clear();
  std::vector<int32_t> window(static_cast<size_t>(T + 1));
  for (size_t w = 0; w < windows.size(); ++w) {
    shards.copy(windows[w] * T, T + 1, window.data());
    const auto first = static_cast<int64_t>(w) * T;
    std::copy_n(window.data(), T, batch.tokens.data() + first);
    std::copy_n(window.data() + 1, T, out.targets.data() + first);
    int32_t position = 0;
    for (int64_t t = 0; t < T; ++t) {
      const bool new_document =
          packing.document_mask && t > 0 && (window[t - 1] == vocabulary.eos || window[t] == vocabulary.bos);
      if (t == 0 || new_document) {
        batch.sequence_starts.push_back(static_cast<int32_t>(first + t));
        position = 0;
      }
      batch.positions[first + t] = position++;
    }
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(N));
}

Loader::Loader(const TokenShards& shards, Packing packing, int64_t windows, int64_t batch, uint64_t seed,
               int64_t windows_read)
    : shards_(shards),
      packing_(packing),
      windows_(windows),
      batch_(batch),
      seed_(seed),
      windows_read_(windows_read) {
  check(windows > 0, "the training data has no whole sequence of {} + 1 tokens", packing.sequence_length);
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

void Loader::prepare(int64_t first, PackedBatch& out) const {
  std::vector<int64_t> windows(static_cast<size_t>(batch_));
  for (int64_t i = 0; i < batch_; ++i) {
    const int64_t epoch = (first + i) / windows_;
    windows[i] = Shuffle(windows_, seed_, static_cast<uint64_t>(epoch))((first + i) % windows_);
  }
  pack_windows(shards_, packing_, windows, out);
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
    try {
      prepare(first, ready_);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    first += batch_;
    error_ = error;
    full_ = true;
    changed_.notify_all();
  }
}

PackedBatch& Loader::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return full_; });
  if (error_) std::rethrow_exception(error_);
  std::swap(ready_, current_);
  full_ = false;
  windows_read_ += batch_;
  changed_.notify_all();
  return current_;
}

}  // namespace fathom
