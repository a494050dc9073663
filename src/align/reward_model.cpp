#include "align/reward_model.h"

#include <algorithm>

#include "align/preference_data.h"
#include "base/error.h"
#include "model/adapter_folder.h"
#include "text/tokenizer_identity.h"

namespace fathom {
namespace {

constexpr int64_t batch_tokens = 4096;  // of texts that are scored together

Model score_model(Device& device, const std::string& folder, const std::string& adapter,
                  std::optional<DType> dtype) {
  const Config stored = read_config(folder),
               config = adapter.empty() ? stored : with_adapter(stored, adapter);
  check(config.num_labels == 1, "{}: no reward model: it has no score head of one label",
        adapter.empty() ? folder : adapter);
  return adapter.empty() ? load_model(device, folder, dtype) : load_model(device, folder, adapter, dtype);
}

}  // namespace

RewardModel::RewardModel(Device& device, const std::string& folder, const std::string& adapter,
                         std::optional<DType> dtype, int64_t longest)
    : model_(score_model(device, folder, adapter, dtype)),
      tools_(folder_with_tokenizer(folder, adapter), model_.config),
      encoder_(tools_.tokenizer, tools_.chat_template, tools_.ends, true),
      longest_(longest > 0 ? std::min(longest, model_.config.max_position_embeddings)
                           : model_.config.max_position_embeddings),
      pass_(device, model_, std::max(batch_tokens, longest_), "shorter conversations lower it") {}

std::vector<int32_t> RewardModel::encode(const ChatRow& conversation) const {
  ChatNotes notes;
  std::vector<int32_t> tokens = scored_text(encoder_.encode(conversation, notes).back()).tokens;
  tokens.pop_back();  // the mark behind the scored token
  check(static_cast<int64_t>(tokens.size()) <= longest_, "{}: {} tokens, and at most {} are scored",
        conversation.where, tokens.size(), longest_);
  return tokens;
}

std::vector<double> RewardModel::batch_scores(std::span<const std::vector<int32_t>> texts) {
  HostBatch batch;
  batch.sequence_starts = {0};
  for (const std::vector<int32_t>& text : texts) {
    batch.tokens.insert(batch.tokens.end(), text.begin(), text.end());
    for (size_t t = 0; t < text.size(); ++t) batch.positions.push_back(static_cast<int32_t>(t));
    batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  }
  const std::vector<float> values = pass_.scores(batch);
  std::vector<double> scores;
  for (size_t b = 0; b < texts.size(); ++b)
    scores.push_back(static_cast<double>(values[static_cast<size_t>(batch.sequence_starts[b + 1]) - 1]));
  return scores;
}

std::vector<double> RewardModel::scores(std::span<const std::vector<int32_t>> texts) {
  std::vector<double> all;
  const auto most = static_cast<size_t>(std::max(batch_tokens, longest_));
  for (size_t first = 0; first < texts.size();) {
    size_t end = first, tokens = 0;
    while (end < texts.size() && (end == first || tokens + texts[end].size() <= most)) tokens += texts[end++].size();
    for (const double score : batch_scores(texts.subspan(first, end - first))) all.push_back(score);
    first = end;
  }
  return all;
}

}  // namespace fathom
