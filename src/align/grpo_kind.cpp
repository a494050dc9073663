#include "align/grpo_kind.h"

#include <cmath>

#include "align/rewards/code_reward.h"
#include "align/rewards/model_reward.h"
#include "base/error.h"
#include "io/content_hash.h"

namespace fathom {
namespace {

std::string hash_of(std::span<const Question> questions) {
  ContentHash hash;
  for (const Question& q : questions) {
    hash.add(std::as_bytes(std::span(q.prompt)));
    hash.add(q.row.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return hash.digest();
}

// The last questions are for validation where no files are.
void hold_out(const Recipe& r, GrpoTask& task) {
  if (r.data.validation_fraction == 0) return;
  const auto all = static_cast<double>(task.questions.size());
  const auto held = static_cast<size_t>(std::ceil(r.data.validation_fraction * all));
  check(held < task.questions.size(), "data.validation_fraction = {:g} leaves none of {} questions",
        r.data.validation_fraction, task.questions.size());
  const auto first = task.questions.end() - static_cast<std::ptrdiff_t>(held);
  task.validation.assign(std::make_move_iterator(first), std::make_move_iterator(task.questions.end()));
  task.questions.erase(first, task.questions.end());
}

TrainingData open_questions(const Recipe& r, std::optional<GrpoTask>& task) {
  check(!r.grpo.reward.empty(), "fathom grpo needs a reward: [[grpo.reward]] with a name and a kind");
  grpo_options(r);
  task.emplace(GrpoTask{.tools = ChatTools(r), .questions = {}, .validation = {}, .rewards = {}});
  TrainingData data;
  for (const std::string& path : r.data.train) {
    const auto first = static_cast<int64_t>(task->questions.size());
    for (Question& q : read_questions({path}, r, task->tools, r.grpo.max_tokens)) task->questions.push_back(std::move(q));
    data.sources.push_back({first, static_cast<int64_t>(task->questions.size()) - first});
  }
  if (r.data.validation.empty())
    hold_out(r, *task);
  else
    task->validation = read_questions(r.data.validation, r, task->tools, r.grpo.max_tokens);
  if (r.data.weights.empty()) data.sources = {{0, static_cast<int64_t>(task->questions.size())}};
  for (size_t q = 0; q < task->validation.size(); ++q) data.validation_places.push_back(static_cast<int64_t>(q));
  data.own_validation = !r.data.validation.empty();
  data.vocabulary = task->tools.vocabulary;
  data.tokenizer = task->tools.vocabulary.fingerprint;
  data.tokenizer_folder = task->tools.folder, data.chat_template = r.chat.chat_template;
  data.where = r.data.train.front();
  for (const Question& q : task->questions) data.tokens += static_cast<int64_t>(q.prompt.size());
  data.identity = hash_of(task->questions), data.validation_identity = hash_of(task->validation);
  return data;
}

RewardSet rewards_of(const Recipe& r, Device& device) {
  std::vector<RewardDeclaration> declarations;
  for (const Json& table : r.grpo.reward)
    declarations.push_back(
        read_declaration(table, fmt::format("[[grpo.reward]] number {}", declarations.size() + 1)));
  RewardKinds kinds = reward_kinds();
  kinds["code"] = code_reward;
  kinds["reward_model"] = [&](const RewardDeclaration& d) { return make_model_reward(d, device); };
  return RewardSet(declarations, kinds);
}

}  // namespace

TrainingKind grpo_kind(std::optional<GrpoTask>& task) {
  TrainingKind kind;
  kind.measure = "reward";
  kind.open_data = [&task](const Recipe& recipe, int) { return open_questions(recipe, task); };
  kind.make_objective = [](const Recipe& recipe) { return std::make_unique<GrpoObjective>(recipe); };
  kind.make_source = [&task](const TrainingKind::SourceParts& parts) {
    if (!task->rewards) task->rewards.emplace(rewards_of(parts.recipe, parts.device));
    return std::make_unique<RolloutSource>(parts, *task);
  };
  return kind;
}

}  // namespace fathom
