// The training data of fine-tuning: conversations, packed into sequences.
#pragma once
#include "train/training_data.h"

namespace fathom {

// The files of data.train and data.validation (or the last data.validation_fraction of the rows). With
// data.weights each file is a source, packed by itself; without, all are packed together. Error as
// read_chat_rows.
TrainingData open_chat_data(const Recipe& recipe, int threads);

}  // namespace fathom
