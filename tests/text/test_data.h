// Test data of this folder, and the tokenizers made from it (parsed once per program).
#pragma once
#include <string>
#include <vector>

#include "io/json.h"
#include "text/tokenizer.h"

namespace fathom {

// tests/text/data/NAME; unpacked if the name ends in .zst.
std::string test_data(const std::string& name);
std::vector<Json> test_json_lines(const std::string& name);
std::vector<std::string> test_lines(const std::string& text);

const Tokenizer& deepseek_llm();
const Tokenizer& deepseek_coder();
// The pre_tokenizer of a test tokenizer, and Split patterns of DeepSeek-V3 in its place.
Json pre_tokenizer_of(const std::string& name);
Json v3_pre_tokenizer();

// The smallest byte-level tokenizer.json: 256 byte tokens, no merges, GPT-2's pre-tokenizer. Tests change it.
Json tiny_tokenizer();

}  // namespace fathom
