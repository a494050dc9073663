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

// The first of the folders that a recipe names in which there is one; all must have the same.
std::string tokenizer_folder(const Recipe& r) {
  const std::string &named = r.data.tokenizer, &model = r.model.init_from;
  check(!r.data.no_tokenizer, "conversations need a tokenizer, but data.no_tokenizer is true");
  check(!named.empty() || !model.empty(),
        "conversations need a tokenizer: give model.init_from, or data.tokenizer");
  std::string first, first_key, first_identity;
  for (const auto& [key, path] : {std::pair("data.tokenizer", named),
                                  {"lora.init_from", r.lora.init_from},
                                  {"model.init_from", model}}) {
    const bool needed = path == named || (first.empty() && path == model);
    if (path.empty() || (!needed && !tokenizer_file(path))) continue;
    const std::string identity = identity_in(path, key);
    if (first.empty()) first = path, first_key = key, first_identity = identity;
    check(identity == first_identity, "{} = {} ({}) is not the tokenizer of {} = {} ({})", first_key, first,
          short_identity(first_identity), key, path, short_identity(identity));
  }
  return std::filesystem::path(*tokenizer_file(first)).parent_path().string();
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
