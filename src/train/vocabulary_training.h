// Trains a tokenizer's vocabulary on a corpus, with progress on standard error.
#pragma once
#include "text/tokenizer_trainer.h"
#include "data/corpus.h"

namespace fathom {

// Error when the corpus holds no text, or the process is interrupted (base/interrupt.h).
TokenizerFiles train_vocabulary(CorpusReader& corpus, const TokenizerTraining& training);

}  // namespace fathom
