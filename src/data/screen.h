// Which documents of a corpus are worth training on, decided in one pass before any are encoded. The decision
// depends on the documents and their order alone: not on threads, nor on how .jsonl documents are spread over
// files.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "data/contamination.h"
#include "data/corpus.h"

namespace fathom {

struct ScreenOptions {
  bool quality = false;                       // data/quality.h
  std::vector<std::string> quality_off = {};  // rules left out
  std::vector<std::string> evaluation = {};   // files whose text may not be there (data/contamination.h)
  int64_t evaluation_words = 13;              // in a run that gives it away
  bool exact_duplicates = false;
  double near_duplicates = 0;  // the similarity from which on a document is one; 0: they stay
  int64_t samples = 3;         // of each reason, in the report
  std::string log = {};        // a .jsonl file that gets a line for each document left out; empty: none

  bool any() const { return quality || !evaluation.empty() || exact_duplicates || near_duplicates > 0; }
};

struct DroppedDocument {
  std::string place;   // "a.jsonl:3"
  std::string reason;  // "quality/words", "contamination", "duplicate" or "near duplicate"
  std::string detail;  // "words 12 < 50", "of b.jsonl:7"
  std::string begin;   // of its text
};

struct ScreenReport {
  struct Count {
    int64_t documents = 0, bytes = 0;
    std::vector<DroppedDocument> samples;  // the first ones
  };
  Count kept;
  std::map<std::string, Count> dropped;  // by reason
  int64_t evaluation_texts = 0, evaluation_too_short = 0;
  int64_t index_bytes = 0;  // of the memory that finding duplicates took
  double seconds = 0;
};

struct Screened {
  std::vector<bool> keep;  // of each document, in order
  ScreenReport report;
};

// `reader` is read to its end. Error when the process is interrupted (base/interrupt.h).
Screened screen(CorpusReader& reader, const ScreenOptions& options, int threads);

}  // namespace fathom
