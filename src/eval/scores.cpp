#include "eval/scores.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "io/content_hash.h"
#include "text/utf8.h"

namespace fathom {
namespace {

double characters(const std::string& text) {
  double n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

// The answer that most of the first k samples give; those without an answer do not vote. Of several the one
// that was given first.
double majority(const AnswerMetric& metric, const MetricScore& all, int64_t k) {
  std::map<std::string, std::pair<int, size_t>> votes;  // number, first sample
  for (size_t i = 0; i < static_cast<size_t>(k); ++i)
    if (all.answers[i]) ++votes.try_emplace(ballot(metric, *all.answers[i]), 0, i).first->second.first;
  std::pair<int, size_t> best = {0, 0};
  for (const auto& [text, vote] : votes)
    if (vote.first > best.first || (vote.first == best.first && vote.second < best.second)) best = vote;
  return best.first > 0 ? all.of_samples[best.second] : 0;
}

// Of a choice its options' texts and which is right; of what is compared with keys those of the first metric.
void add_right_answer(const Task& task, const Item& item, OrderedJson& record) {
  if (!item.labels.empty()) {
    record["labels"] = item.labels, record["gold"] = item.gold;
    if (record.contains("options") && !task.choices.letters)
      for (size_t i = 0; i < record["options"].size(); ++i)
        record["options"][i]["text"] = item.answers[i].bytes;
  }
  for (const AnswerMetric& metric : task.answer_metrics)
    if (metric.keys.given() && metric.asks(item.subject)) {
      record["keys"] = keys_of(metric, item.fields);
      return;
    }
}

}  // namespace

std::vector<std::string> answer_metric_names(const Task& task) {
  std::vector<std::string> names;
  for (const AnswerMetric& metric : task.answer_metrics)
    if (std::find(names.begin(), names.end(), metric.name) == names.end()) names.push_back(metric.name);
  return names;
}

const AnswerMetric& answer_metric(const Task& task, const std::string& name, const std::string& subject) {
  for (const AnswerMetric& metric : task.answer_metrics)
    if (metric.name == name && metric.asks(subject)) return metric;
  fail("task {}: no metric '{}' is asked of subject '{}'", task.name, name, subject);
}

double option_score(ChoiceMetric metric, const MeasuredOption& option, const std::string& answer) {
  switch (metric) {
    case ChoiceMetric::sum:
      return option.sum;
    case ChoiceMetric::bytes:
      return option.sum / static_cast<double>(answer.size());
    case ChoiceMetric::chars:
      return option.sum / characters(answer);
    case ChoiceMetric::tokens:
      return option.sum / static_cast<double>(option.length());
    case ChoiceMetric::unconditional:
      check(option.unconditional.has_value(), "the record has no unconditional log-probabilities");
      return option.sum - *option.unconditional;
  }
  return 0;
}

double pass_at(int64_t n, int64_t c, int64_t k) {
  double none = 1;  // C(n-c, k) / C(n, k)
  for (int64_t i = 0; i < k; ++i)
    none *= static_cast<double>(std::max<int64_t>(n - c - i, 0)) / static_cast<double>(n - i);
  return 1 - none;
}

std::vector<std::string> score_names(const Task& task) {
  std::vector<std::string> names;
  for (const ChoiceMetric metric : task.choice_metrics) names.emplace_back(name_of(metric));
  const std::vector<std::string> answers = answer_metric_names(task);
  names.insert(names.end(), answers.begin(), answers.end());
  const Task::Generation& g = task.generation;
  for (const std::string& metric : answers) {
    for (const int64_t k : g.pass_at)
      if (k <= g.samples) names.push_back(fmt::format("{} pass@{}", metric, k));
    for (const int64_t k : g.majority_of)
      if (k <= g.samples) names.push_back(fmt::format("{} maj@{}", metric, k));
  }
  return names;
}

Scorer::Scorer(const Task& task, int workers, bool allow_weak) : task_(task), workers_(workers) {
  for (const AnswerMetric& metric : task.answer_metrics) {
    if (metric.kind != AnswerKind::code || sandbox_) continue;
    SandboxOptions options;
    options.allow_weak = allow_weak;
    sandbox_.emplace(options);
  }
}

ItemScores Scorer::score_choice(const Item& item, const Measured& m) const {
  ItemScores scores;
  for (const ChoiceMetric metric : task_.choice_metrics) {
    MetricScore score;
    double best = 0;
    for (size_t i = 0; i < m.options.size(); ++i) {
      const double value = option_score(metric, m.options[i], item.answers[i].bytes);
      if (i > 0 && value == best) score.tie = true;
      if (i > 0 && value <= best) continue;
      best = value, score.picked = static_cast<int64_t>(i), score.tie = false;
    }
    score.value = score.picked == item.gold;
    scores.push_back(score);
  }
  return scores;
}

void Scorer::score_samples(const AnswerMetric& metric, std::span<const Item> items,
                           std::span<const Measured> measured, std::vector<ItemScores>& scores,
                           size_t place) const {
  if (metric.kind == AnswerKind::instructions)
    return check_instructions(metric, items, measured, scores, place);
  for (size_t i = 0; i < items.size(); ++i) {
    if (!metric.asks(items[i].subject)) continue;
    MetricScore& score = scores[i][place];
    const bool compares = metric.kind != AnswerKind::code;
    const std::vector<std::string> keys =
        compares ? keys_of(metric, items[i].fields) : std::vector<std::string>();
    for (const MeasuredSample& sample : measured[i].samples) {
      score.answers.push_back(found_answer(metric, sample.output));
      const bool found = compares && score.answers.back();
      score.of_samples.push_back(found ? score_answer(metric, *score.answers.back(), keys) : 0);
    }
  }
  if (metric.kind == AnswerKind::code) run_code(metric, items, measured, scores, place);
}

std::vector<ItemScores> Scorer::score(std::span<const Item> items, std::span<const Measured> measured) const {
  std::vector<ItemScores> scores;
  if (task_.form == TaskForm::choice)
    for (size_t i = 0; i < items.size(); ++i) scores.push_back(score_choice(items[i], measured[i]));
  if (task_.form != TaskForm::generate) return scores;
  const std::vector<std::string> names = answer_metric_names(task_);
  scores.resize(items.size(), ItemScores(names.size()));
  for (const AnswerMetric& metric : task_.answer_metrics)
    score_samples(metric, items, measured, scores,
                  static_cast<size_t>(std::find(names.begin(), names.end(), metric.name) - names.begin()));
  for (size_t i = 0; i < items.size(); ++i) add_averages(names, items[i], scores[i]);
  return scores;
}

void Scorer::add_averages(const std::vector<std::string>& names, const Item& item, ItemScores& all) const {
  const Task::Generation& g = task_.generation;
  for (size_t place = 0; place < names.size(); ++place) {
    const AnswerMetric& metric = answer_metric(task_, names[place], item.subject);
    const std::vector<double> of_samples = all[place].of_samples;
    const auto n = std::ssize(of_samples);
    double sum = 0, right = 0;
    for (const double s : of_samples) sum += s, right += s == 1;
    all[place].value = n > 0 ? sum / static_cast<double>(n) : 0;
    for (const int64_t k : g.pass_at)
      if (k <= g.samples)
        all.push_back({.value = k <= n ? pass_at(n, static_cast<int64_t>(right), k) : 0,
                       .answers = {},
                       .of_samples = {}});
    for (const int64_t k : g.majority_of)
      if (k <= g.samples)
        all.push_back(
            {.value = k <= n ? majority(metric, all[place], k) : 0, .answers = {}, .of_samples = {}});
  }
}

void add_place(const Task& task, const Item& item, OrderedJson& record) {
  if (!item.subject.empty()) record["subject"] = item.subject;
  if (task.cluster.given()) record["cluster"] = hash_value(item.cluster).text();
}

void add_scores(const Task& task, const Item& item, const ItemScores& scores, OrderedJson& record) {
  add_right_answer(task, item, record);
  const std::vector<std::string> names = score_names(task);
  for (size_t i = 0; i < scores.size(); ++i) {
    record["scores"][names[i]] = scores[i].value;
    if (scores[i].weight != 1) record["weights"][names[i]] = scores[i].weight;
    if (scores[i].picked >= 0) record["picked"][names[i]] = scores[i].picked;
    if (scores[i].tie) record["ties"].push_back(names[i]);
    for (const std::optional<std::string>& answer : scores[i].answers)
      record["answers"][names[i]].push_back(answer ? OrderedJson(*answer) : OrderedJson(nullptr));
  }
}

}  // namespace fathom
