// A text for evaluation, as tokens.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace fathom {

// The tokens of a .txt or .jsonl file (each also .zst or .gz), documents one after another with a line end
// behind each, no special tokens: the first `most`, or what there is. `field` is the member of each .jsonl
// line. Error when the file's name does not say its format, or when it holds no text.
std::vector<int32_t> text_tokens(const std::string& path, const std::string& field,
                                 const Tokenizer& tokenizer, int64_t most);

}  // namespace fathom
