// What the model would be shown for an item, for people: no model is needed.
#pragma once
#include <string>

#include "eval/prompt.h"

namespace fathom {

// The prompt with its examples, the seam, the answers and which of them is right.
std::string prompt_preview(const Task& task, const TaskItems& data, const std::string& item_id, uint64_t seed,
                           const ChatTemplate* chat);

// Bytes of the longest prompt with its examples and its longest answer: no tokenizer makes more tokens of it.
int64_t longest_prompt(const Task& task, const TaskItems& data);

}  // namespace fathom
