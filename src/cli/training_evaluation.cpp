#include "cli/training_evaluation.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "comm/agreement.h"
#include "eval/task_run.h"
#include "io/atomic_folder.h"
#include "io/descriptor.h"
#include "train/step_folders.h"

namespace fathom {
namespace {

const FilePatterns record_files = {"*.jsonl", "*.json"};

// What the records say of the model: there is no folder to take a hash of.
OrderedJson identity_of(const Recipe& recipe, const EvaluationMoment& m, const EngineOptions& engine) {
  return {{"weights", fmt::format("step {} of {}", m.step, recipe.run.output)},
          {"tokenizer", m.data.tokenizer},
          {"chat", recipe.eval.chat},
          {"type", name_of(m.model.dtype)},
          {"device", recipe.run.device},
          {"limit", recipe.eval.limit},
          {"seed", MeasurementSettings().seed},
          {"sequences", engine.max_sequences},
          {"share_prefixes", engine.share_prefixes},
          {"cache_tokens", engine.cache_tokens},
          {"step_tokens", engine.token_budget}};
}

ItemShare share_of(Communicator& ranks) {
  return {ranks.rank(), ranks.size(), [&ranks](const std::string& mine) { return gather_texts(ranks, mine); }};
}

}  // namespace

TrainingEvaluation::TrainingEvaluation(const Recipe& recipe) : recipe_(recipe) {
  for (const std::string& name : recipe.eval.tasks) {
    Task task = task_named(name);
    if (recipe.eval.chat || task.chat) task = chat_form(std::move(task));
    tasks_.push_back(
        with_items(std::move(task), recipe.eval.data, recipe.eval.limit, MeasurementSettings().seed));
  }
}

bool TrainingEvaluation::needed(const EvaluationMoment& m) const {
  const std::string parent = file_in(recipe_.run.output, "eval");
  std::string there;
  together(m.ranks, [&] {
    if (m.ranks.rank() > 0) return;
    for (const auto& [step, folder] : step_folders(parent)) {
      if (step > m.step) remove_folder(folder, record_files);
      if (step == m.step && !std::filesystem::is_empty(folder)) there = folder;
    }
  });
  return broadcast_text(m.ranks, there).empty();
}

std::vector<TaskResult> TrainingEvaluation::results(const EvaluationMoment& m, const std::string& out) const {
  const Tokenizer tokenizer = Tokenizer::load(m.data.tokenizer_folder);
  std::optional<ChatTemplate> chat;
  if (std::any_of(tasks_.begin(), tasks_.end(), [](const TaskWithItems& t) { return t.task.chat; }))
    chat = m.data.chat_template.empty()
               ? ChatTemplate::load(m.data.tokenizer_folder)
               : ChatTemplate::load(m.data.tokenizer_folder, m.data.chat_template);
  const int64_t sequences =
      recipe_.eval.sequences > 0 ? recipe_.eval.sequences : default_sequences(m.device);
  const EngineOptions options = task_engine(tasks_, sequences, m.device, m.model);
  if (m.step == 0 && m.ranks.rank() == 0)
    log::info("evaluation: {} beside what training takes",
              human_bytes(static_cast<double>(Engine::bytes(m.model, options))));
  Engine engine(m.device, m.model, &tokenizer, options);
  TaskRunSettings settings;
  settings.out = out;
  settings.workers = settings.threads = settings.measurement.threads = m.device.threads();
  settings.together = items_together(sequences);
  settings.identity = identity_of(recipe_, m, options);
  settings.about = {{"step", m.step}, {"trained_tokens", m.tokens}, {"training_run", recipe_.run.output}};
  settings.measurement.eos_token_ids = m.model.config.eos_token_ids;
  settings.share = share_of(m.ranks);
  std::vector<TaskResult> results;
  for (const auto& [task, data] : tasks_)
    results.push_back(run_task({engine, tokenizer, task.chat ? &*chat : nullptr}, task, data, settings));
  return results;
}

MeasuredScores TrainingEvaluation::scores(const EvaluationMoment& m) const {
  if (!needed(m)) return {};
  try {
    if (m.ranks.rank() > 0) return results(m, ""), MeasuredScores();
    AtomicFolder folder(step_folder(file_in(recipe_.run.output, "eval"), m.step), record_files);
    const std::vector<TaskResult> all = results(m, folder.path());
    folder.commit();
    return scores_of(all);
  } catch (const Interrupted&) {
    if (m.ranks.rank() == 0) log::warn("step {}: the evaluation was broken off", m.step);
    return {};
  }
}

MeasuredScores scores_of(const std::vector<TaskResult>& results) {
  MeasuredScores scores;
  for (const TaskResult& r : results)
    for (const Average& a : r.averages) {
      const std::string over = a.over.substr(0, a.over.find(' '));
      if (over == "subject" || over == "category") continue;
      scores.emplace_back(fmt::format("eval/{}/{}{}", r.task, a.metric, over == "items" ? "" : "/" + over),
                          a.interval.mean);
    }
  return scores;
}

}  // namespace fathom
