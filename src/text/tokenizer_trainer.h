// Makes a new tokenizer in DeepSeek's manner from text: its pre-tokenizer, a learned byte-level BPE
// vocabulary, and after that <｜begin▁of▁sentence｜> and <｜end▁of▁sentence｜>. The files load in Hugging
// Face's libraries.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/word_counts.h"

namespace fathom {

struct TokenizerTraining {
  size_t vocab_size = 8192;   // all tokens, the special ones among them
  int64_t min_frequency = 2;  // rarer pairs are not merged
  int threads = 1;
  std::string bos = "<｜begin▁of▁sentence｜>", eos = "<｜end▁of▁sentence｜>";
  std::vector<std::string> more_special = {};  // placed after those two
};

struct TokenizerFiles {
  std::string tokenizer_json, tokenizer_config_json;

  // Puts both into `folder` at once; it is made if need be, and what else is in it is kept.
  void save(const std::string& folder) const;
};

class TokenizerTrainer {
 public:
  explicit TokenizerTrainer(TokenizerTraining training);

  void add(std::string_view document) { counts_.add(document); }
  // The same documents in any order and any number of threads give the same files. A small corpus may give
  // fewer tokens than asked for. `progress` is called with the number of tokens now and then.
  TokenizerFiles train(const std::function<void(size_t)>& progress = {});

 private:
  TokenizerTraining training_;
  PreTokenizer pre_tokenizer_;
  WordCounts counts_;
};

}  // namespace fathom
