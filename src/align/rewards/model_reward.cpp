#include "align/rewards/model_reward.h"

#include "align/questions.h"
#include "align/reward_model.h"
#include "base/error.h"

namespace fathom {
namespace {

class ModelReward : public Reward {
 public:
  ModelReward(Device& device, const std::string& folder, const std::string& adapter)
      : model_(device, folder, adapter) {}

  std::vector<Score> score(std::span<const RewardInput> answers) override {
    std::vector<Score> scores;
    std::vector<std::vector<int32_t>> texts;
    std::vector<size_t> places;
    for (const RewardInput& answer : answers) {
      scores.push_back(unscored(answer.id, ""));
      try {
        texts.push_back(model_.encode(conversation(answer)));
        places.push_back(scores.size() - 1);
      } catch (const Error& error) {
        scores.back().reason = error.what();
      }
    }
    const std::vector<double> values = model_.scores(texts);
    for (size_t i = 0; i < places.size(); ++i) scores[places[i]].value = values[i];
    return scores;
  }

 private:
  // Of an answer that is no valid UTF-8 each broken part becomes U+FFFD.
  static ChatRow conversation(const RewardInput& answer) {
    ChatRow row;
    row.where = fmt::format("answer {}", answer.id);
    row.messages = question_messages(*answer.row, row.where);
    const std::string text = Json(answer.text).dump(-1, ' ', false, Json::error_handler_t::replace);
    row.messages.push_back({{"role", "assistant"}, {"content", parse_json(text, row.where)}});
    return row;
  }

  RewardModel model_;
};

}  // namespace

std::unique_ptr<Reward> make_model_reward(const RewardDeclaration& declaration, Device& device) {
  RewardParameters parameters(declaration);
  const auto folder = parameters.required<std::string>("model");
  const auto adapter = parameters.optional<std::string>("adapter", "");
  parameters.finish();
  return std::make_unique<ModelReward>(device, folder, adapter);
}

}  // namespace fathom
