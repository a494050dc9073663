// What tokenizer.json and tokenizer_config.json say, checked and ready to run. Tokenizer executes it; other
// code has no need of it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/json.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/join_filter.h"
#include "text/pre_tokenizer.h"

namespace fathom {

struct TokenizerDefinition {
  std::vector<std::string> pieces;  // bytes by id; "" where an id has no token
  std::vector<bool> special;        // by id
  std::unordered_map<std::string_view, int32_t>
      vocabulary;  // bytes -> id, ordinary tokens only; views of pieces
  AddedTokens added{{}};
  std::optional<PreTokenizer> pre_tokenizer;
  std::optional<Bpe> bpe;
  JoinFilter join_filter;
  bool ignore_merges = false;           // a piece that is a token itself is not merged
  std::vector<int32_t> prefix, suffix;  // put around a text when special tokens are asked for
  std::optional<int32_t> bos, eos;
};

TokenizerDefinition parse_tokenizer(std::string_view tokenizer_json, const std::string& name);
// `definition` is what parse_tokenizer gave.
void apply_tokenizer_config(TokenizerDefinition& definition, const Json& config, const std::string& name);

}  // namespace fathom
