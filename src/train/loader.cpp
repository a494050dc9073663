#include "train/loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "ops/cross_entropy.h"
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
  out.counted = 0;
  std::vector<int32_t> window(static_cast<size_t>(T + 1));
  for (size_t w = 0; w < windows.size(); ++w) {
    shards.copy(windows[w] * T, T + 1, window.data());
    const auto first = static_cast<int64_t>(w) * T;
    std::copy_n(window.data(), T, batch.tokens.data() + first);
    int32_t position = 0;
    batch.sequence_starts.push_back(static_cast<int32_t>(first));
    for (int64_t t = 0; t < T; ++t) {
      batch.positions[first + t] = position++;
      const int32_t next = window[t + 1];
      const bool last_of_document =
          packing.document_mask && (window[t] == vocabulary.eos || next == vocabulary.bos);
      out.targets[first + t] = last_of_document ? CrossEntropy::ignore : next;
      out.counted += !last_of_document;
      if (!last_of_document || t + 1 == T) continue;
      batch.sequence_starts.push_back(static_cast<int32_t>(first + t + 1));
      position = 0;
    }
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(N));
}

Loader::Loader(const TokenShards& shards, Packing packing, int64_t windows, int64_t batch, int64_t ahead,
               uint64_t seed, int64_t windows_read)
    : shards_(shards),
      packing_(packing),
      windows_(windows),
      batch_(batch),
      ahead_(static_cast<size_t>(ahead)),
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
    if (ready_.size() >= ahead_) {
      changed_.wait(lock);
      continue;
    }
    PackedBatch batch;
    if (!spare_.empty()) {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
    lock.unlock();
    std::exception_ptr error;
    try {
      prepare(first, batch);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    first += batch_;
    error_ = error;
    if (!error) ready_.push_back(std::move(batch));
    changed_.notify_all();
  }
}

std::span<const PackedBatch> Loader::next(int64_t n) {
  std::unique_lock lock(mutex_);
  for (PackedBatch& batch : current_) spare_.push_back(std::move(batch));
  current_.clear();
  while (current_.size() < static_cast<size_t>(n)) {
    changed_.wait(lock, [this] { return !ready_.empty() || error_; });
    if (ready_.empty()) std::rethrow_exception(error_);
    current_.push_back(std::move(ready_.front()));
    ready_.pop_front();
    changed_.notify_all();
  }
  windows_read_ += n * batch_;
  return current_;
}

}  // namespace fathom
