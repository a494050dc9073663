#include "align/answer_packing.h"

#include "align/pieces.h"
#include "ops/cross_entropy.h"

namespace fathom {
namespace {

void append(const Answer& answer, int64_t number, PackedBatch& out) {
  HostBatch& batch = out.batch;
  const auto inputs = static_cast<int64_t>(answer.tokens.size()) - 1;
  batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  batch.tokens.insert(batch.tokens.end(), answer.tokens.begin(), answer.tokens.end() - 1);
  for (int64_t t = 0; t < inputs; ++t) {
    const bool sampled = t + 1 >= answer.prompt_length;
    batch.positions.push_back(static_cast<int32_t>(t));
    out.targets.push_back(sampled ? answer.tokens[static_cast<size_t>(t) + 1] : CrossEntropy::ignore);
    out.counted += sampled;
  }
  out.rows.push_back(number);
}

}  // namespace

std::vector<PackedBatch> packed_answers(const Config& config, std::span<const Answer> answers,
                                        std::span<const int64_t> numbers, const AnswerRoom& room) {
  std::vector<int64_t> lengths;
  for (const int64_t i : numbers)
    lengths.push_back(static_cast<int64_t>(answers[static_cast<size_t>(i)].tokens.size()) - 1);
  const auto windows = pack_pieces(lengths, room.sequence);
  std::vector<PackedBatch> batches;
  for (size_t w = 0; w < windows.size(); ++w) {
    if (w % static_cast<size_t>(room.sequences) == 0) batches.emplace_back();
    for (const int64_t piece : windows[w]) {
      const int64_t number = numbers[static_cast<size_t>(piece)];
      const Answer& answer = answers[static_cast<size_t>(number)];
      append(answer, number, batches.back());
      if (!answer.experts.ids.empty()) batches.back().replay.append(config, answer.experts);
    }
  }
  for (PackedBatch& batch : batches) {
    batch.batch.sequence_starts.push_back(static_cast<int32_t>(batch.batch.tokens.size()));
    batch.batch.exempt.assign(1, 0);
    batch.replay.keep_choice = !batch.replay.rows.empty();
  }
  return batches;
}

}  // namespace fathom
