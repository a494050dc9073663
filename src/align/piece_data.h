// TrainingData of pieces: the files of data.train and data.validation (or the last data.validation_fraction of the
// pieces), packed into sequences. With data.weights each file is a source, packed by itself; without, all are
// packed together.
#pragma once
#include "align/chat_tools.h"
#include "align/piece_reader.h"
#include "align/row_windows.h"
#include "train/training_data.h"

namespace fathom {

// Error as read_pieces.
TrainingData open_pieces(const Recipe& recipe, const ChatTools& tools, const PieceEncoder& encoder,
                         MeanOver mean, int threads);

}  // namespace fathom
