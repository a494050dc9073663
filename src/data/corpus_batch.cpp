#include "data/corpus_batch.h"

#include <utility>

namespace fathom {

CorpusBatches::CorpusBatches(CorpusReader& reader, int threads)
    : reader_(reader),
      threads_(threads),
      following_(std::async(std::launch::async, [this] { return read(); })) {}

CorpusBatches::~CorpusBatches() {
  if (following_.valid()) following_.wait();
}

CorpusBatch CorpusBatches::read() const {
  constexpr size_t bytes_per_thread = size_t{4} << 20;
  CorpusBatch batch;
  std::string document;
  for (size_t bytes = 0;
       bytes < bytes_per_thread * static_cast<size_t>(threads_) && reader_.next(document);) {
    bytes += document.size();
    batch.places.push_back({static_cast<uint32_t>(reader_.file()), reader_.line()});
    batch.documents.push_back(std::move(document));
  }
  batch.consumed = reader_.bytes_consumed();
  return batch;
}

bool CorpusBatches::next(CorpusBatch& batch) {
  if (!following_.valid()) return false;
  batch = following_.get();
  if (batch.documents.empty()) return false;
  following_ = std::async(std::launch::async, [this] { return read(); });
  return true;
}

}  // namespace fathom
