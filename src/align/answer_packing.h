// Answers as the micro-batches of a step: several in a sequence, each attending to itself only.
#pragma once
#include <span>
#include <vector>

#include "align/rollout.h"
#include "train/packed_step.h"

namespace fathom {

struct AnswerRoom {
  int64_t sequence = 0;   // tokens of a sequence; the longest answer with its prompt has one token more at most
  int64_t sequences = 0;  // of a micro-batch
};

// Those of `answers` that `numbers` names. A batch's rows are their numbers; targets are the sampled tokens. The
// experts that an answer records are replayed.
std::vector<PackedBatch> packed_answers(const Config& config, std::span<const Answer> answers,
                                        std::span<const int64_t> numbers, const AnswerRoom& room);

}  // namespace fathom
