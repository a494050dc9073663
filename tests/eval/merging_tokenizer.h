// Single bytes, and a few longer tokens made of them, with or without a BOS before every text.
#pragma once
#include <string>
#include <vector>

#include "support/byte_tokenizer.h"

namespace fathom::testing {

// Merges of two tokens each, as bytes: the first is id 257. "<end>" is the BOS.
inline Tokenizer merging_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges, bool bos) {
  Json json = byte_tokenizer_json();
  int id = 257;
  for (const auto& [a, b] : merges) {
    json["model"]["vocab"][spell_bytes(a + b)] = id++;
    json["model"]["merges"].push_back(spell_bytes(a) + " " + spell_bytes(b));
  }
  // One word for the merges, whatever it holds.
  json["pre_tokenizer"]["use_regex"] = false;
  const Json config = {{"add_bos_token", bos},
                       {"add_eos_token", bos},
                       {"bos_token", "<end>"},
                       {"eos_token", "<end>"},
                       {"tokenizer_class", "LlamaTokenizerFast"}};
  return Tokenizer::parse(json.dump(), "merging", bos ? config.dump() : "");
}

}  // namespace fathom::testing
