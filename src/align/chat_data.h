// The training data of fine-tuning: conversations.
#pragma once
#include "train/training_data.h"

namespace fathom {

TrainingData open_chat_data(const Recipe& recipe, int threads);

}  // namespace fathom
