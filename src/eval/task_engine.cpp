#include "eval/task_engine.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "engine/prompt_chunk.h"
#include "eval/prompt.h"
#include "eval/prompt_preview.h"

namespace fathom {

TaskWithItems with_items(Task task, const std::string& folder, int64_t limit, uint64_t seed) {
  TaskItems data = read_items(task, folder, limit);
  check_shots(task, data, seed);
  for (size_t i = 0; i < std::min<size_t>(data.malformed.size(), 3); ++i)
    log::warn("{}: malformed: {}", task.name, data.malformed[i]);
  if (data.malformed.size() > 3) log::warn("{}: {} malformed rows in all", task.name, data.malformed.size());
  if (!data.missing.empty())
    log::warn("{}: {} of {} subjects have no file, such as {}", task.name, data.missing.size(),
              task.data.subjects.size(), data.missing[0]);
  return {std::move(task), std::move(data)};
}

Task chat_form(Task task) {
  check(task.form != TaskForm::text, "task {} has documents, no questions: it has no chat form", task.name);
  task.chat = true, task.name += "+chat";
  return task;
}

EngineOptions task_engine(std::span<const TaskWithItems> tasks, int64_t sequences, const Device& device,
                          const Model& model, bool share_prefixes) {
  int64_t longest = 0;
  for (const auto& [task, data] : tasks) {
    const int64_t own = longest_prompt(task, data);
    longest = std::max(longest, task.form == TaskForm::text ? std::min(own, task.window + 64) : own);
  }
  longest = std::min(longest, model.config.max_position_embeddings);
  // Besides the longest prompt as many tokens as keep a batch busy.
  constexpr int64_t busy = 32768;
  EngineOptions options{.cache_tokens = longest + std::min(busy, sequences * longest),
                        .page_size = device.on_host() ? 16 : 64,
                        .max_sequences = sequences,
                        .share_prefixes = share_prefixes,
                        .absorbed = {},
                        .score = true};
  options.token_budget = std::max(prompt_chunk(device, model, options, busy), sequences);
  return options;
}

}  // namespace fathom
