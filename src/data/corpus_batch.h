// A corpus in batches of a few MB, enough work for every thread; the next one is read while a batch is worked
// on.
#pragma once
#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "data/corpus.h"

namespace fathom {

struct CorpusBatch {
  struct Place {
    uint32_t file;
    int64_t line;
  };
  std::vector<std::string> documents;
  std::vector<Place> places;  // of the documents
  int64_t consumed = 0;       // bytes of the files read so far
};

class CorpusBatches {
 public:
  CorpusBatches(CorpusReader& reader, int threads);
  ~CorpusBatches();

  // False at the end. Throws what reading the batch threw.
  bool next(CorpusBatch& batch);

 private:
  CorpusBatch read() const;

  CorpusReader& reader_;
  int threads_;
  std::future<CorpusBatch> following_;
};

}  // namespace fathom
