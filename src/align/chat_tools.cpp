#include "align/chat_tools.h"

#include <filesystem>

#include "base/error.h"
#include "io/file.h"
#include "text/tokenizer_identity.h"

namespace fathom {
namespace {

std::string identity_in(const std::string& path, const char* key) {
  const auto file = tokenizer_file(path);
  check(file.has_value(), "{} = {}: there is no tokenizer.json", key, path);
  return tokenizer_identity(read_file(*file), *file);
}

std::string tokenizer_folder(const Recipe& r) {
  const std::string &named = r.data.tokenizer, &model = r.model.init_from;
  check(!r.data.no_tokenizer, "conversations need a tokenizer, but data.no_tokenizer is true");
  check(!named.empty() || !model.empty(),
        "conversations need a tokenizer: give model.init_from, or data.tokenizer");
  if (named.empty()) identity_in(model, "model.init_from");
  if (!named.empty() && !model.empty() && tokenizer_file(model)) {
    const std::string a = identity_in(named, "data.tokenizer"), b = identity_in(model, "model.init_from");
    check(a == b, "data.tokenizer = {} ({}) is not the tokenizer of model.init_from = {} ({})", named,
          short_identity(a), model, short_identity(b));
  }
  const std::string path = named.empty() ? model : named;
  return std::filesystem::path(*tokenizer_file(path)).parent_path().string();
}

TokenVocabulary vocabulary_of(const Tokenizer& tokenizer, const std::string& folder) {
  const auto bos = tokenizer.bos_id(), eos = tokenizer.eos_id();
  check(bos && eos, "{}: the tokenizer names no token for the {} of a text", folder, bos ? "end" : "beginning");
  return {tokenizer.size(), *bos, *eos, identity_in(folder, "the tokenizer's folder")};
}

std::vector<int32_t> ends_of(const Config& model, const TokenVocabulary& vocabulary) {
  std::vector<int32_t> ends = {vocabulary.eos};
  for (const int64_t id : model.eos_token_ids) ends.push_back(static_cast<int32_t>(id));
  return ends;
}

}  // namespace

ChatTools::ChatTools(const std::string& where, const std::string& file, const Config& model)
    : folder(where),
      tokenizer(Tokenizer::load(folder)),
      chat_template(file.empty() ? ChatTemplate::load(folder) : ChatTemplate::load(folder, file)),
      vocabulary(vocabulary_of(tokenizer, folder)),
      ends(ends_of(model, vocabulary)) {}

ChatTools::ChatTools(const Recipe& r)
    : ChatTools(tokenizer_folder(r), r.chat.chat_template, model_config(r)) {}

ChatTools::ChatTools(const std::string& where, const Config& model) : ChatTools(where, "", model) {}

}  // namespace fathom
