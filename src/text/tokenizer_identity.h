// What tells one tokenizer from another: a hash of everything in tokenizer.json that decides which ids a text
// becomes. The form of the JSON does not matter (white space, the order of keys, merges as "a b" or
// ["a","b"], fields written out with their defaults), nor what leaves the ids alone (decoder, post-processor,
// truncation, padding).
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

// `name` stands in errors.
std::string tokenizer_identity(std::string_view tokenizer_json, const std::string& name);

// The tokenizer.json that `path` names: the file itself, or the one in this folder, or beside this file of
// another name. Nothing when there is none.
std::optional<std::string> tokenizer_file(const std::string& path);

// Whose tokenizer and chat template go with an adapter (a folder, or empty) beside a model's folder: its own
// where it brings one.
std::string folder_with_tokenizer(const std::string& model, const std::string& adapter);

// An identity as errors show it: its first digits.
std::string short_identity(const std::string& identity);

}  // namespace fathom
