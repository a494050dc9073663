// The training data of preferences: pairs of answers, for DPO or for a reward model, and single answers with a
// score.
#pragma once
#include <vector>

#include "align/chat_encoding.h"
#include "align/pieces.h"
#include "train/training_data.h"

namespace fathom {

// A conversation as a reward model reads it: all of it up to the end of its last answer, where it is scored.
// As a row whose one target marks that token: it stands behind it, and is never read.
EncodedRow scored_text(const EncodedRow& conversation);

// Opens the files of preferences as pieces of two rows, chosen and rejected, or of answers with a score as
// pieces of one; means are over pieces. The labels of training and validation, by their numbers, are kept
// here.
class PreferenceData {
 public:
  // Error as read_pieces.
  TrainingData open(const Recipe& recipe, int threads);

  const PieceLabel& label(int64_t piece) const { return labels_[static_cast<size_t>(piece)]; }
  int64_t count() const { return static_cast<int64_t>(labels_.size()); }

 private:
  std::vector<PieceLabel> labels_;
};

}  // namespace fathom
