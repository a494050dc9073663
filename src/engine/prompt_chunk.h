// How many tokens of a prompt a step takes when nobody says so.
#pragma once
#include "engine/engine.h"

namespace fathom {

// For one prompt of this length, with options that are complete but for token_budget. Every chunk of a prompt
// expands all keys before it again, so that large chunks cost less; and a GPU needs thousands of rows to be
// busy. There it is 8192 tokens, or fewer where memory is short; on a CPU 2048; never more than the prompt.
int64_t prompt_chunk(const Device& device, const Model& model, EngineOptions options, int64_t prompt);

}  // namespace fathom
