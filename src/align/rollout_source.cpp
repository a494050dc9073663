#include "align/rollout_source.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "align/answer_packing.h"
#include "align/objectives/advantages.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/rng.h"
#include "engine/generate_all.h"

namespace fathom {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

RewardStd std_of(const std::string& name) {
  for (const RewardStd kind : reward_stds)
    if (name_of(kind) == name) return kind;
  fail("grpo.std is '{}': expected none, population or sample", name);
}

EngineOptions engine_options(const Recipe& r, const Config& config) {
  const int64_t longest = std::min(r.data.sequence_length + 1, config.max_position_embeddings);
  EngineOptions options = EngineOptions::for_sequences(r.grpo.sequences_at_once, longest);
  options.record_experts = r.grpo.replay_experts && config.n_moe_layers() > 0;
  return options;
}

// A function of the run's seed, the question's number in the run and the sample, so that a resumed run draws
// the same.
uint64_t seed_of(uint64_t seed, int64_t question, int64_t sample) {
  constexpr uint64_t stream = 0x726f6c6c6f757473;  // of these draws alone
  const auto words = philox(seed ^ stream, static_cast<uint64_t>(question), static_cast<uint64_t>(sample));
  return static_cast<uint64_t>(words[0]) << 32 | words[1];
}

}  // namespace

RolloutSource::RolloutSource(const TrainingKind::SourceParts& parts, GrpoTask& task)
    : parts_(parts),
      settings_(parts.recipe.grpo),
      task_(task),
      objective_(dynamic_cast<GrpoObjective&>(parts.objective)),
      engine_(parts.device, parts.model, &task.tools.tokenizer, engine_options(parts.recipe, parts.model.config)),
      read_(parts.windows_read),
      rollout_ended_(seconds_now()) {
  std_of(settings_.std);
}

std::vector<Answer> RolloutSource::generate(std::span<const Question* const> questions, int64_t samples,
                                            double temperature, const GenerationStep& after_step) {
  std::vector<Request> requests;
  std::vector<Answer> answers;
  for (size_t q = 0; q < questions.size(); ++q)
    for (int64_t s = 0; s < samples; ++s) {
      Request& request = requests.emplace_back();
      request.prompt = questions[q]->prompt;
      request.sampling.temperature = temperature;
      request.sampling.seed = seed_of(parts_.recipe.run.seed, read_ + static_cast<int64_t>(q), s);
      request.stop.max_tokens = settings_.max_tokens;
      for (const int32_t id : task_.tools.ends) request.stop.eos_token_ids.push_back(id);
      request.log_probs = temperature > 0;
      answers.push_back({.question = static_cast<int64_t>(q),
                         .tokens = questions[q]->prompt,
                         .prompt_length = static_cast<int64_t>(questions[q]->prompt.size())});
    }
  engine_.weights_changed();
  const std::vector<Completion> completions = generate_all(engine_, std::move(requests), after_step);
  for (size_t i = 0; i < answers.size(); ++i) {
    const Completion& c = completions[i];
    Answer& answer = answers[i];
    answer.tokens.insert(answer.tokens.end(), c.tokens.begin(), c.tokens.end());
    answer.text = c.text, answer.error = c.error, answer.sampled = c.log_probs, answer.experts = c.experts;
    answer.truncated = c.finish == FinishReason::length || c.finish == FinishReason::context;
  }
  return answers;
}

// An answer that failed is unscored.
RewardBatch RolloutSource::score(std::span<const Question* const> questions, std::vector<Answer>& answers,
                                 int64_t samples) {
  std::vector<RewardInput> inputs;
  std::vector<size_t> places;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i].error.empty()) continue;
    const Question& question = *questions[i / static_cast<size_t>(samples)];
    inputs.push_back({.id = static_cast<int64_t>(i),
                      .row = &question.row,
                      .text = answers[i].text,
                      .tokens = answers[i].sampled_tokens(),
                      .truncated = answers[i].truncated});
    places.push_back(i);
  }
  RewardBatch batch = task_.rewards->score(inputs);
  for (size_t k = 0; k < places.size(); ++k) answers[places[k]].reward = batch.answers[k];
  return batch;
}

void RolloutSource::set_advantages() {
  std::vector<GroupedReward> rewards;
  for (const Answer& answer : answers_) rewards.push_back({answer.question, answer.reward.total});
  const Advantages advantages = group_advantages(
      rewards, {.std = std_of(settings_.std), .keep_skipped = settings_.keep_skipped});
  for (size_t i = 0; i < answers_.size(); ++i) answers_[i].advantage = advantages.of_answer[i];
  objective_.add("skipped_groups", static_cast<double>(advantages.equal_groups + advantages.small_groups) /
                                       static_cast<double>(std::max<int64_t>(advantages.groups, 1)));
  objective_.add("unscored", static_cast<double>(advantages.unscored));
}

// With one update the policy is what it was: ratios are 1, and their gradients those of log-probabilities.
void RolloutSource::set_old() {
  if (planned_ == 1) return;
  const Recipe& r = parts_.recipe;
  if (!scoring_)
    scoring_.emplace(parts_.device, parts_.model, r.batch.micro_batch * r.data.sequence_length,
                     "batch.micro_batch or data.sequence_length lowers it");
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < answers_.size(); ++i)
    if (answers_[i].advantage) numbers.push_back(static_cast<int64_t>(i));
  for (const PackedBatch& batch : packed(numbers)) {
    const std::vector<float> losses =
        scoring_->losses(batch.batch, batch.targets, settings_.temperature,
                         batch.replay.rows.empty() ? nullptr : &batch.replay);
    for (size_t b = 0; b < batch.rows.size(); ++b) {
      Answer& answer = answers_[static_cast<size_t>(batch.rows[b])];
      for (int32_t n = batch.batch.sequence_starts[b] + static_cast<int32_t>(answer.prompt_length) - 1;
           n < batch.batch.sequence_starts[b + 1]; ++n)
        answer.old.push_back(-static_cast<double>(losses[static_cast<size_t>(n)]));
    }
  }
}

// Nothing that was asked counts before all has been answered.
bool RolloutSource::ready() {
  return done_ < planned_ || roll_out();
}

bool RolloutSource::roll_out() {
  const double begin = seconds_now();
  const int64_t count = parts_.recipe.batch.sequences;
  std::vector<const Question*> questions;
  for (int64_t q = 0; q < count; ++q)
    questions.push_back(&task_.questions[static_cast<size_t>(parts_.order(read_ + q))]);
  bool whole = true;
  answers_ = generate(questions, settings_.group, settings_.temperature,
                      [&](const GenerationProgress&) { return whole = !interrupted(); });
  if (!whole) return false;
  const double generated = seconds_now();
  const RewardBatch rewards = score(questions, answers_, settings_.group);
  set_advantages();
  read_ += count;
  planned_ = settings_.passes * settings_.minibatches, done_ = 0;
  int64_t tokens = 0;
  for (const Answer& answer : answers_) tokens += answer.sampled_tokens();
  report_rollout(generated - begin, tokens, rewards);
  report_times({.updates = begin - rollout_ended_ - validation_seconds_,
                .rollout = generated - begin,
                .rewards = seconds_now() - generated});
  rollout_ended_ = seconds_now(), validation_seconds_ = 0;
  set_old();
  record();
  return true;
}

// The updates are those since the rollout before; before the first there are none.
void RolloutSource::report_times(const Times& t) {
  objective_.add("rollout_seconds", t.rollout);
  objective_.add("reward_seconds", t.rewards);
  if (answered_before_) {
    objective_.add("update_seconds", t.updates);
    objective_.add("rollout_share", t.rollout / (t.updates + t.rollout + t.rewards));
  }
  answered_before_ = true;
}

void RolloutSource::report_rollout(double seconds, int64_t tokens, const RewardBatch& rewards) {
  const auto n = static_cast<double>(answers_.size());
  double total = 0, truncated = 0, scored = 0;
  for (const Answer& answer : answers_) {
    truncated += answer.truncated;
    if (answer.reward.total) total += *answer.reward.total, ++scored;
  }
  objective_.add("reward", scored > 0 ? total / scored : 0);
  for (const RewardPart& part : rewards.parts) objective_.add("reward_" + part.name, part.mean);
  objective_.add("length", static_cast<double>(tokens) / n);
  objective_.add("truncated", truncated / n);
  objective_.add("rollout_tokens_per_second", static_cast<double>(tokens) / seconds);
}

// One group of each rollout, for people to read.
void RolloutSource::record() {
  for (const Answer& answer : answers_) {
    if (answer.question != 0) continue;
    Json parts = Json::object();
    const std::vector<std::string> names = task_.rewards->names();
    for (size_t p = 0; p < answer.reward.parts.size(); ++p) {
      const Score& part = answer.reward.parts[p];
      parts[names[p]] = part.value ? Json(*part.value) : Json(part.reason);
    }
    const std::vector<int32_t> prompt(answer.tokens.begin(),
                                      answer.tokens.begin() + static_cast<std::ptrdiff_t>(answer.prompt_length));
    records_.push_back({{"prompt", task_.tools.tokenizer.decode(prompt)},
                        {"answer", answer.text},
                        {"tokens", answer.sampled_tokens()},
                        {"truncated", answer.truncated},
                        {"reward", answer.reward.total ? Json(*answer.reward.total) : Json()},
                        {"parts", parts},
                        {"advantage", answer.advantage ? Json(*answer.advantage) : Json()}});
  }
}

std::vector<Json> RolloutSource::take_records() {
  return std::exchange(records_, {});
}

std::vector<int64_t> RolloutSource::answers_of_step(int64_t step) const {
  std::vector<int64_t> numbers;
  int64_t taken = 0;
  for (size_t i = 0; i < answers_.size(); ++i)
    if (answers_[i].advantage && taken++ % settings_.minibatches == step % settings_.minibatches)
      numbers.push_back(static_cast<int64_t>(i));
  return numbers;
}

std::vector<PackedBatch> RolloutSource::packed(std::span<const int64_t> numbers) const {
  const Recipe& r = parts_.recipe;
  return packed_answers(parts_.model.config, answers_, numbers,
                        {.sequence = r.data.sequence_length, .sequences = r.batch.micro_batch});
}

const PackedStep& RolloutSource::next() {
  const std::vector<int64_t> numbers = answers_of_step(done_);
  std::vector<GrpoAnswer> counted;
  for (const int64_t i : numbers) {
    const Answer& answer = answers_[static_cast<size_t>(i)];
    counted.push_back({.advantage = answer.advantage,
                       .current = answer.sampled,
                       .truncated = answer.truncated});
  }
  objective_.begin_step(answers_, grpo_counts(counted, objective_.options()), done_ == 0);
  step_ = {};
  step_.weight = 1;  // the objective's loss is a mean already
  step_.batches = packed(numbers);
  step_.micro_batches = static_cast<int64_t>(step_.batches.size());
  for (const PackedBatch& batch : step_.batches)
    step_.tokens += batch.batch.size().tokens, step_.targets += batch.counted;
  ++done_;
  return step_;
}

std::vector<Objective::Sum> RolloutSource::validate() {
  if (task_.validation.empty()) return {};
  const double begin = seconds_now();
  size_t count = task_.validation.size();
  if (const int64_t most = parts_.recipe.validation.sequences; most > 0)
    count = std::min(count, static_cast<size_t>(most));
  std::vector<const Question*> questions;
  for (size_t q = 0; q < count; ++q) questions.push_back(&task_.validation[q]);
  std::vector<Answer> answers = generate(questions, 1, 0, {});
  const RewardBatch rewards = score(questions, answers, 1);
  double total = 0, tokens = 0, truncated = 0;
  for (const Answer& answer : answers) {
    total += answer.reward.total.value_or(0);
    tokens += static_cast<double>(answer.sampled_tokens()), truncated += answer.truncated;
  }
  const auto n = static_cast<double>(count), scored = n - static_cast<double>(rewards.unscored);
  std::vector<Objective::Sum> sums = {{"reward", scored > 0 ? total / scored : 0}};
  for (const RewardPart& part : rewards.parts) sums.push_back({"reward_" + part.name, part.mean});
  sums.push_back({"length", tokens / n}), sums.push_back({"truncated", truncated / n});
  validation_seconds_ += seconds_now() - begin;
  return sums;
}

}  // namespace fathom
