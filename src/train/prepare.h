// From text to token shards: read, leave out what is not wanted, encode on all threads, set some documents
// aside for validation, write. The result depends on the text and the options alone, not on the number of
// threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/corpus.h"
#include "data/screen.h"

namespace fathom {

struct PrepareOptions {
  std::vector<std::string> inputs;  // files and folders, see corpus_files()
  std::string out;                  // the folder for shards and tokenizer
  // One of the two: a model folder or tokenizer.json, or the vocabulary's size of one to train on the text.
  std::string tokenizer;
  int64_t train_vocabulary = 0;
  double validation = 0.01;  // share of the text; at least one document of two
  CorpusOptions corpus;
  ScreenOptions screen;  // what is left out
  bool add_bos = true;   // before each document
  int64_t shard_tokens = 100'000'000;
  // Keep finished shards beside `out` until all are there, and go on from those of an earlier, interrupted
  // call.
  bool resumable = false;
  int threads = 1;
};

struct PrepareReport {
  int64_t documents = 0, validation_documents = 0;
  int64_t text_bytes = 0;
  int64_t train_tokens = 0, validation_tokens = 0;
  int32_t vocab_size = 0;
  ScreenReport screening;  // empty when nothing was asked to be left out
  double seconds = 0;      // of encoding and writing, without training a tokenizer
};

// Writes train-*.safetensors, val-*.safetensors, tokenizer.json and tokenizer_config.json into `out`, where
// they replace an earlier data set; nothing changes there before all are complete. Stops with an Error when
// the process is interrupted (base/interrupt.h).
PrepareReport prepare(const PrepareOptions& options);

// Only decides what would be left out: needs no tokenizer and writes nothing but the log of what goes.
ScreenReport dry_run(const PrepareOptions& options);

}  // namespace fathom
