#include "text/tokenizer_identity.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/content_hash.h"
#include "io/json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

Json field(const Json& object, const char* key, Json otherwise = nullptr) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? std::move(otherwise) : *it;
}

// "a b" and ["a", "b"] are one merge.
Json merges_of(const Json& model) {
  Json merges = field(model, "merges", Json::array());
  for (Json& merge : merges) {
    if (!merge.is_string()) continue;
    const auto text = merge.get<std::string>();
    const size_t space = text.find(' ');
    if (space != std::string::npos) merge = Json::array({text.substr(0, space), text.substr(space + 1)});
  }
  return merges;
}

Json added_tokens_of(const Json& root) {
  std::vector<Json> tokens;
  for (const Json& token : field(root, "added_tokens", Json::array())) {
    const Json special = field(token, "special", false);
    tokens.push_back({field(token, "id"), field(token, "content"), special,
                      field(token, "single_word", false), field(token, "lstrip", false),
                      field(token, "rstrip", false), field(token, "normalized", special == false)});
  }
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

// Steps of a sequence that do nothing, and what only moves offsets, leave no trace.
Json steps_of(const Json& step) {
  if (!step.is_object()) return nullptr;
  Json out = step;
  out.erase("trim_offsets");
  for (const char* list : {"normalizers", "pretokenizers"}) {
    if (!out.contains(list)) continue;
    Json inner = Json::array();
    for (const Json& one : step[list])
      if (Json kept = steps_of(one); !kept.is_null()) inner.push_back(std::move(kept));
    if (inner.empty()) return nullptr;
    out[list] = std::move(inner);
  }
  if (out.value("type", Json()) == "ByteLevel" && !out.contains("use_regex")) out["use_regex"] = true;
  return out;
}

}  // namespace

std::string tokenizer_identity(std::string_view tokenizer_json, const std::string& name) {
  const Json root = parse_json(tokenizer_json, name);
  check(root.is_object() && field(root, "model").is_object(), "{}: no tokenizer.json: it has no 'model'",
        name);
  const Json& model = root["model"];
  const Json essence = {{"vocab", field(model, "vocab")},
                        {"merges", merges_of(model)},
                        {"ignore_merges", field(model, "ignore_merges", false)},
                        {"unk_token", field(model, "unk_token", "")},
                        {"added_tokens", added_tokens_of(root)},
                        {"normalizer", steps_of(field(root, "normalizer"))},
                        {"pre_tokenizer", steps_of(field(root, "pre_tokenizer"))}};
  return hash_value(essence.dump()).text();
}

std::optional<std::string> tokenizer_file(const std::string& path) {
  std::error_code ignored;
  const fs::path given(path);
  const fs::path file = fs::is_directory(given, ignored) ? given / "tokenizer.json"
                        : given.extension() == ".json"   ? given
                                                         : given.parent_path() / "tokenizer.json";
  if (!fs::is_regular_file(file, ignored)) return std::nullopt;
  return file.string();
}

std::string folder_with_tokenizer(const std::string& model, const std::string& adapter) {
  return !adapter.empty() && tokenizer_file(adapter) ? adapter : model;
}

std::string short_identity(const std::string& identity) {
  constexpr size_t digits = 12;
  const size_t start = identity.find(':');
  return start == std::string::npos ? identity : identity.substr(0, start + 1 + digits);
}

}  // namespace fathom
