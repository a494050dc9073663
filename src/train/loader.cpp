#include "train/loader.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/rng.h"
#include "ops/cross_entropy.h"

namespace fathom {
namespace {

// Whether a token is the last one of its document; its pair with the next one is then not learnt from.
bool ends_document(const Packing& packing, const TokenVocabulary& vocabulary, int32_t token, int32_t next) {
  return packing.document_mask && (token == vocabulary.eos || next == vocabulary.bos);
}

}  // namespace

bool exempt_from_dropping(uint64_t seed, int64_t window) {
  constexpr uint64_t stream = 0x64726f7070696e67;  // of this draw alone
  const uint32_t word = philox(seed, static_cast<uint64_t>(window), stream)[0];
  return static_cast<double>(word) * 0x1p-32 < 0.1;
}

void pack_windows(const TokenShards& shards, const Packing& packing, std::span<const int64_t> begins,
                  PackedBatch& out) {
  const int64_t T = packing.sequence_length, N = T * static_cast<int64_t>(begins.size());
  const TokenVocabulary& vocabulary = shards.vocabulary();
  HostBatch& batch = out.batch;
  for (auto* part : {&batch.tokens, &batch.positions, &out.targets}) part->resize(static_cast<size_t>(N));
  batch.sequence_starts.clear();
  batch.exempt.assign(begins.size(), 0);
  out.counted = 0;
  std::vector<int32_t> window(static_cast<size_t>(T + 1));
  for (size_t w = 0; w < begins.size(); ++w) {
    shards.copy(begins[w], T + 1, window.data());
    const auto first = static_cast<int64_t>(w) * T;
    std::copy_n(window.data(), T, batch.tokens.data() + first);
    int32_t position = 0;
    batch.sequence_starts.push_back(static_cast<int32_t>(first));
    for (int64_t t = 0; t < T; ++t) {
      batch.positions[first + t] = position++;
      const int32_t next = window[t + 1];
      const bool last_of_document = ends_document(packing, vocabulary, window[t], next);
      out.targets[first + t] = last_of_document ? CrossEntropy::ignore : next;
      out.counted += !last_of_document;
      if (!last_of_document || t + 1 == T) continue;
      batch.sequence_starts.push_back(static_cast<int32_t>(first + t + 1));
      position = 0;
    }
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(N));
}

Loader::Loader(const TokenShards& shards, Packing packing, WindowOrder order, StepSizes sizes, uint64_t seed,
               int64_t windows_read)
    : shards_(shards),
      packing_(packing),
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
  out.tokens = n * packing_.sequence_length;
  out.targets = 0;
  out.batches.resize(static_cast<size_t>(sizes_.replica.count(out.micro_batches)));
  auto packed = out.batches.begin();
  for (int64_t i = 0; i < out.micro_batches; ++i) {
    const int64_t begin = first + i * micro, size = std::min(micro, n - i * micro);
    if (!sizes_.replica.has(i)) {
      out.targets += count_targets(begin, size);
      continue;
    }
    pack(begin, size, *packed);
    out.targets += packed++->counted;
  }
  return n;
}

void Loader::pack(int64_t first, int64_t n, PackedBatch& out) const {
  std::vector<int64_t> begins;
  for (int64_t i = first; i < first + n; ++i) begins.push_back(order_(i));
  pack_windows(shards_, packing_, begins, out);
  for (int64_t i = 0; i < n; ++i)
    out.batch.exempt[static_cast<size_t>(i)] = exempt_from_dropping(seed_, first + i);
}

int64_t Loader::count_targets(int64_t first, int64_t n) const {
  const int64_t T = packing_.sequence_length;
  if (!packing_.document_mask) return n * T;
  std::vector<int32_t> tokens(static_cast<size_t>(T + 1));
  int64_t counted = 0;
  for (int64_t i = first; i < first + n; ++i) {
    shards_.copy(order_(i), T + 1, tokens.data());
    for (int64_t t = 0; t < T; ++t)
      counted += !ends_document(packing_, shards_.vocabulary(), tokens[t], tokens[t + 1]);
  }
  return counted;
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
