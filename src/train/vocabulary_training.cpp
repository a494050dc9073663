#include "train/vocabulary_training.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"

namespace fathom {
namespace {

void stop_if_interrupted() {
  check(!interrupted(), "interrupted; nothing was written");
}

void read_words(CorpusReader& corpus, TokenizerTrainer& trainer) {
  Progress progress("read", corpus.bytes_total(), "bytes");
  bool empty = true;
  for (std::string document; corpus.next(document); empty = false) {
    trainer.add(document);
    progress.update(corpus.bytes_consumed());
    stop_if_interrupted();
  }
  check(!empty, "{}: there is no text in it", corpus.names());
}

}  // namespace

TokenizerFiles train_vocabulary(CorpusReader& corpus, const TokenizerTraining& training) {
  TokenizerTrainer trainer(training);
  read_words(corpus, trainer);
  Progress progress("merge", static_cast<int64_t>(training.vocab_size), "tokens");
  return trainer.train([&](size_t tokens) {
    progress.update(static_cast<int64_t>(tokens));
    stop_if_interrupted();
  });
}

}  // namespace fathom
