#include "eval/task_engine.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "engine/prompt_chunk.h"
#include "eval/prompt.h"
#include "eval/prompt_preview.h"
#include "tensor/memory.h"

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

int64_t default_sequences(const Device& device) {
  return device.on_host() ? 32 : 256;
}

EngineOptions task_engine(std::span<const TaskWithItems> tasks, int64_t sequences, const Device& device,
                          const Model& model, bool share_prefixes) {
  int64_t longest = 0;
  for (const auto& [task, data] : tasks) {
    const int64_t own = longest_prompt(task, data);
    longest = std::max(longest, task.form == TaskForm::text ? std::min(own, task.window + 64) : own);
  }
  longest = std::min(longest, model.config.max_position_embeddings);
  EngineOptions options{.page_size = device.on_host() ? 16 : 64,
                        .max_sequences = sequences,
                        .share_prefixes = share_prefixes,
                        .absorbed = {},
                        .score = true};
  // Besides the longest prompt as many tokens as keep a batch busy, where half of a GPU's memory has room.
  constexpr int64_t busy = 32768;
  options.token_budget = std::max<int64_t>(sequences, 8192);
  for (int64_t tokens = device.on_host() ? busy : 16 * busy;; tokens /= 2) {
    options.cache_tokens = longest + std::min(tokens, sequences * longest);
    const std::optional<int64_t> free = free_memory(device);
    if (tokens <= busy || !free || Engine::bytes(model, options) <= *free / 2) break;
  }
  options.token_budget = std::max(prompt_chunk(device, model, options, busy), sequences);
  return options;
}

}  // namespace fathom
