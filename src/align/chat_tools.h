// What turns conversations into ids for a model: the tokenizer and the chat template that belong to it.
#pragma once
#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/recipe.h"
#include "train/token_shard.h"

namespace fathom {

struct ChatTools {
  std::string folder;  // of the tokenizer's files
  Tokenizer tokenizer;
  ChatTemplate chat_template;
  TokenVocabulary vocabulary;
  std::vector<int32_t> ends;  // ids that end an answer: the model's and the tokenizer's EOS

  // The tokenizer of data.tokenizer, of lora.init_from where that brings one, or of model.init_from; all of
  // them that are there must be the same. Error when there is none, or it names no BOS or EOS.
  explicit ChatTools(const Recipe& recipe);
  // Those of a model folder, of which `model` is the config.
  ChatTools(const std::string& folder, const Config& model);

 private:
  ChatTools(const std::string& folder, const std::string& chat_template_file, const Config& model);
};

}  // namespace fathom
