// Tasks with their items, and an engine that is large enough for them.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "engine/engine.h"
#include "eval/items.h"

namespace fathom {

struct TaskWithItems {
  Task task;
  TaskItems data;
};

// Items of the files below `folder`, of each file the first `limit` where that is not 0. What is missing or
// malformed is warned of. Error when there are no items, or too few examples for them.
TaskWithItems with_items(Task task, const std::string& folder, int64_t limit, uint64_t seed);

// The form that is asked in conversations, a task of its own: "mmlu+chat". Error for one of documents.
Task chat_form(Task task);

// Of a device, worked on at a time: a GPU needs more to be busy.
int64_t default_sequences(const Device& device);
// How many items are measured together where so many are worked on at a time (TaskRunSettings::together).
inline int64_t items_together(int64_t sequences) { return 4 * sequences; }

// Room for the longest prompt, and for so many sequences at a time.
EngineOptions task_engine(std::span<const TaskWithItems> tasks, int64_t sequences, const Device& device,
                          const Model& model, bool share_prefixes = true);

}  // namespace fathom
