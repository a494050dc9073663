// The smallest tokenizer: single bytes and one special token.
#pragma once
#include <string>

#include "io/json.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer.h"

namespace fathom::testing {

// Ids 0..255 are bytes; 256 is the special token <end>.
inline Json byte_tokenizer_json() {
  Json vocab = Json::object();
  for (int b = 0; b < 256; ++b) vocab[spell_bytes(std::string(1, static_cast<char>(b)))] = b;
  const Json end = {{"id", 256},       {"content", "<end>"},  {"single_word", false}, {"lstrip", false},
                    {"rstrip", false}, {"normalized", false}, {"special", true}};
  return {{"added_tokens", Json::array({end})},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
}

inline Tokenizer byte_tokenizer() {
  return Tokenizer::parse(byte_tokenizer_json().dump(), "bytes");
}

}  // namespace fathom::testing
