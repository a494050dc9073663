#include "train/identity.h"

#include <filesystem>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "io/file.h"
#include "text/tokenizer_identity.h"

namespace fathom {
namespace {

// A tokenizer and where it was found.
struct Known {
  std::string identity, where;
};

std::string identity_of_file(const std::string& path) {
  return tokenizer_identity(read_file(path), path);
}

// The tokenizer.json beside each shard, every file once.
std::set<std::string> files_beside(const TokenShards& shards) {
  std::set<std::string> files;
  for (const std::string& shard : shards.paths())
    if (const auto file = tokenizer_file(shard)) files.insert(*file);
  return files;
}

std::string named_tokenizer(const Recipe& recipe) {
  const auto file = tokenizer_file(recipe.data.tokenizer);
  check(file.has_value(), "data.tokenizer = {}: there is no tokenizer.json", recipe.data.tokenizer);
  return *file;
}

void compare(const Known& data, const std::string& file, const char* role) {
  const std::string identity = identity_of_file(file);
  check(identity == data.identity, "{} ({}{}) is not the tokenizer of the training data ({}, {})", file, role,
        short_identity(identity), short_identity(data.identity), data.where);
}

}  // namespace

std::string checked_tokenizer(const Recipe& recipe, const TokenShards& shards,
                              const TokenShards* validation) {
  Known data = {shards.vocabulary().fingerprint, shards.paths().front()};
  const std::set<std::string> beside = files_beside(shards);
  if (data.identity.empty() && !beside.empty()) {
    data = {identity_of_file(*beside.begin()), *beside.begin()};
    log::warn("{}: does not say which tokenizer made it: taken to be {} ({})", shards.paths().front(),
              data.where, short_identity(data.identity));
  }
  if (data.identity.empty()) {
    log::warn("{}: does not say which tokenizer made it, and there is none beside it", data.where);
    return {};
  }
  for (const std::string& file : beside) compare(data, file, "beside the shards, ");
  if (validation)
    for (const std::string& file : files_beside(*validation))
      compare(data, file, "beside the validation shards, ");
  if (!recipe.data.tokenizer.empty()) compare(data, named_tokenizer(recipe), "data.tokenizer, ");
  if (!recipe.model.init_from.empty()) {
    const auto file = tokenizer_file(recipe.model.init_from);
    check(file.has_value() || recipe.data.no_tokenizer,
          "model.init_from = {}: no tokenizer.json to compare with that of the training data ({}, {}): add "
          "it, or "
          "--no-tokenizer",
          recipe.model.init_from, short_identity(data.identity), data.where);
    if (file) compare(data, *file, "model.init_from, ");
  }
  return data.identity;
}

void check_same_tokenizer(const TokenShards& training, const TokenShards& validation) {
  const TokenVocabulary &a = training.vocabulary(), &b = validation.vocabulary();
  check(a.same_as(b),
        "the validation data {} ({}) was prepared with another tokenizer than the training data {} ({})",
        validation.paths().front(), b.text(), training.paths().front(), a.text());
}

std::string tokenizer_folder(const Recipe& recipe, const TokenShards& shards) {
  if (recipe.data.no_tokenizer) return {};
  const auto folder = [](const std::string& file) {
    return std::filesystem::path(file).parent_path().string();
  };
  if (!recipe.data.tokenizer.empty()) return folder(named_tokenizer(recipe));
  const std::set<std::string> beside = files_beside(shards);
  check(!beside.empty(),
        "{}: no tokenizer.json beside the training data: name it by data.tokenizer, or train a model without "
        "one by "
        "--no-tokenizer",
        shards.paths().front());
  return folder(*beside.begin());
}

void check_same_run(const std::string& checkpoint, const RunState& then, const RunState& now,
                    const std::string& data) {
  const std::string trainer = checkpoint + "/trainer.json";
  check(then.data_tokens == now.data_tokens && (then.data.empty() || then.data == now.data),
        "{}: made with training data of {} tokens ({}), but now it is {} tokens ({}) from {}", trainer,
        then.data_tokens, then.data.empty() ? "no hash" : short_identity(then.data), now.data_tokens,
        short_identity(now.data), data);
  check(then.tokenizer.empty() || now.tokenizer.empty() || then.tokenizer == now.tokenizer,
        "{}: made with the tokenizer {}, but the training data's is {} ({})", trainer,
        short_identity(then.tokenizer), short_identity(now.tokenizer), data);
  if (then.data.empty())
    log::warn("{}: made by an earlier release: it does not say which data and tokenizer it was trained with",
              trainer);
  const auto file = tokenizer_file(checkpoint);
  if (!file || then.tokenizer.empty()) return;
  const std::string copy = identity_of_file(*file);
  check(copy == then.tokenizer, "{} ({}) is not the tokenizer that the checkpoint was made with ({}, {})",
        *file, short_identity(copy), short_identity(then.tokenizer), trainer);
}

}  // namespace fathom
