// A reward model in use: scores of conversations, by the tokenizer and the chat template that are its own.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "align/chat_encoding.h"
#include "align/chat_tools.h"
#include "model/model_folder.h"
#include "model/scoring_pass.h"

namespace fathom {

class RewardModel {
 public:
  // A model folder with a score head of one label, or a folder of any model and an adapter that brings such a
  // head. Conversations of up to `longest` tokens are scored, by default as many as the model knows. Error
  // for another model.
  RewardModel(Device& device, const std::string& folder, const std::string& adapter = {},
              std::optional<DType> dtype = {}, int64_t longest = 0);

  // A conversation that ends with an answer, as preference_data's scored_text() has it. Error naming the row
  // when it cannot be written, or is too long.
  std::vector<int32_t> encode(const ChatRow& conversation) const;
  // Of each text.
  std::vector<double> scores(std::span<const std::vector<int32_t>> texts);

  int64_t longest() const { return longest_; }

 private:
  std::vector<double> batch_scores(std::span<const std::vector<int32_t>> texts);

  const Model model_;
  const ChatTools tools_;
  const ChatEncoder encoder_;
  const int64_t longest_;
  ScoringPass pass_;
};

}  // namespace fathom
