// Reading tokenizer.json. Everything in it that would change ids and is not implemented is an Error that
// names it; truncation and padding are a caller's business and are not looked at.
#include "text/tokenizer_definition.h"

#include "base/error.h"
#include "text/byte_alphabet.h"

namespace fathom {
namespace {

constexpr int64_t max_id = (1 << 22) - 1;

class DefinitionReader {
 public:
  DefinitionReader(const Json& json, const std::string& name) : name_(name), root_(json, name) {}

  TokenizerDefinition read() {
    const JsonObject model = root_.child("model");
    read_model(model);
    read_added_tokens();
    index_vocabulary();
    read_normalizer(field(root_, "normalizer"));
    check(root_.has("pre_tokenizer"), "{}: no pre_tokenizer; only byte-level BPE is supported", name_);
    out_.pre_tokenizer.emplace(root_.required<Json>("pre_tokenizer"), name_ + ": pre_tokenizer");
    read_decoder(field(root_, "decoder"));
    read_post_processor(field(root_, "post_processor"));
    return std::move(out_);
  }

 private:
  // The value as it stands, null if there is none; no copy, for a vocabulary is large.
  static const Json& field(const JsonObject& object, const std::string& key) {
    static const Json absent;
    const auto it = object.json().find(key);
    return it == object.json().end() ? absent : *it;
  }

  void read_model(const JsonObject& model) {
    const auto type = model.optional<std::string>("type", "BPE");
    check(type == "BPE", "{}: model '{}' is not supported, only BPE", name_, type);
    refuse(model.optional("dropout", 0.0) != 0, "dropout");
    refuse(model.optional("byte_fallback", false), "byte_fallback");
    refuse(model.optional("fuse_unk", false), "fuse_unk");
    refuse(!model.optional<std::string>("continuing_subword_prefix", "").empty(),
           "continuing_subword_prefix");
    refuse(!model.optional<std::string>("end_of_word_suffix", "").empty(), "end_of_word_suffix");
    out_.ignore_merges = model.optional("ignore_merges", false);
    read_vocabulary(field(model, "vocab"));
    const std::vector<MergeRule> rules = read_merges(field(model, "merges"));
    const std::array<int32_t, 256> bytes = byte_ids(model.optional<std::string>("unk_token", ""));
    out_.bpe.emplace(bytes, rules);
    if (!out_.ignore_merges) out_.join_filter = JoinFilter(bytes, rules, out_.pieces);
  }

  void refuse(bool present, const char* feature) const {
    check(!present, "{}: {} is not supported", name_, feature);
  }

  void place(int32_t id, std::string bytes) {
    if (static_cast<size_t>(id) >= out_.pieces.size()) {
      out_.pieces.resize(static_cast<size_t>(id) + 1);
      out_.special.resize(static_cast<size_t>(id) + 1);
    }
    out_.pieces[id] = std::move(bytes);
  }

  static int32_t read_id(const Json& json, const JsonPlace& place) {
    const auto id = read_value<int64_t>(json, place);
    check(id >= 0 && id <= max_id, "{}: field '{}': id {} is outside 0..{}", place.where, place.field, id,
          max_id);
    return static_cast<int32_t>(id);
  }

  void read_vocabulary(const Json& vocab) {
    check(vocab.is_object() && !vocab.empty(), "{}: model.vocab must be an object with the tokens", name_);
    for (const auto& [token, value] : vocab.items()) {
      check(!token.empty(), "{}: model.vocab has an empty token", name_);
      const int32_t id = read_id(value, {name_, "model.vocab[" + token + "]"});
      const bool taken = static_cast<size_t>(id) < out_.pieces.size() && !out_.pieces[id].empty();
      check(!taken, "{}: model.vocab gives id {} twice, once to '{}'", name_, id, token);
      place(id, unspell_bytes(token).value_or(token));
      spelled_.emplace(token, id);
    }
  }

  // When no piece moves any more. Where a token spelled in the byte alphabet and one that is not have the
  // same bytes, the former counts: only it can come out of BPE.
  void index_vocabulary() {
    for (const bool in_alphabet : {true, false})
      for (const auto& [token, id] : spelled_)
        if (unspell_bytes(token).has_value() == in_alphabet) out_.vocabulary.emplace(out_.pieces[id], id);
  }

  int32_t id_of_spelled(const std::string& token, size_t merge) const {
    const auto it = spelled_.find(token);
    check(it != spelled_.end(), "{}: model.merges[{}]: '{}' is not in the vocabulary", name_, merge, token);
    return it->second;
  }

  std::vector<MergeRule> read_merges(const Json& merges) const {
    check(merges.is_array(), "{}: model.merges must be a list", name_);
    std::vector<MergeRule> rules;
    rules.reserve(merges.size());
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto [left, right] = read_pair(merges[i], i);
      rules.push_back({id_of_spelled(left, i), id_of_spelled(right, i), id_of_spelled(left + right, i)});
    }
    return rules;
  }

  // "a b", or ["a", "b"] in newer files.
  std::pair<std::string, std::string> read_pair(const Json& merge, size_t i) const {
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
      return {merge[0].get<std::string>(), merge[1].get<std::string>()};
    check(merge.is_string(), "{}: model.merges[{}] must be \"a b\" or [\"a\", \"b\"]", name_, i);
    const auto& text = merge.get_ref<const std::string&>();
    const size_t space = text.find(' ');
    check(space != std::string::npos && text.find(' ', space + 1) == std::string::npos,
          "{}: model.merges[{}]: '{}' is not two tokens with a space between", name_, i, text);
    return {text.substr(0, space), text.substr(space + 1)};
  }

  std::array<int32_t, 256> byte_ids(const std::string& unknown) const {
    int32_t fallback = -1;
    if (!unknown.empty()) {
      const auto it = spelled_.find(unknown);
      check(it != spelled_.end(), "{}: unk_token '{}' is not in the vocabulary", name_, unknown);
      fallback = it->second;
    }
    std::array<int32_t, 256> ids;
    for (int b = 0; b < 256; ++b) {
      const auto it = spelled_.find(spell_bytes(std::string(1, static_cast<char>(b))));
      ids[b] = it == spelled_.end() ? fallback : it->second;
    }
    return ids;
  }

  void read_added_tokens() {
    std::vector<AddedToken> tokens;
    std::unordered_map<std::string, int32_t> seen;
    const auto list = root_.optional<std::vector<Json>>("added_tokens", {});
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string where = name_ + ": added_tokens[" + std::to_string(i) + "]";
      tokens.push_back(read_added_token(JsonObject(list[i], where), where));
      const AddedToken& token = tokens.back();
      check(seen.emplace(token.content, token.id).second, "{}: '{}' is there twice", where, token.content);
      place_added(token, where);
    }
    out_.added = AddedTokens(std::move(tokens));
  }

  static AddedToken read_added_token(const JsonObject& object, const std::string& where) {
    AddedToken token;
    token.id = read_id(object.required<Json>("id"), {where, "id"});
    token.content = object.required<std::string>("content");
    check(!token.content.empty(), "{}: empty content", where);
    token.special = object.optional("special", false);
    token.single_word = object.optional("single_word", false);
    token.lstrip = object.optional("lstrip", false);
    token.rstrip = object.optional("rstrip", false);
    token.normalized = object.optional("normalized", !token.special);
    return token;
  }

  void place_added(const AddedToken& token, const std::string& where) {
    const auto id = static_cast<size_t>(token.id);
    const bool taken = id < out_.pieces.size() && !out_.pieces[id].empty();
    const auto known = spelled_.find(token.content);
    const bool same = known != spelled_.end() && known->second == token.id;
    check(!taken || same, "{}: id {} of '{}' already belongs to another token", where, token.id,
          token.content);
    check(known == spelled_.end() || same, "{}: '{}' has id {} here and {} in the vocabulary", where,
          token.content, token.id, known == spelled_.end() ? -1 : known->second);
    place(token.id, token.content);
    out_.special[id] = token.special;
  }

  void read_normalizer(const Json& json) const {
    if (json.is_null()) return;
    const JsonObject object(json, name_ + ": normalizer");
    const auto type = object.required<std::string>("type");
    check(type == "Sequence", "{}: normalizer '{}' is not supported", name_, type);
    for (const Json& step : object.optional<std::vector<Json>>("normalizers", {})) read_normalizer(step);
  }

  void read_decoder(const Json& json) const {
    if (json.is_null()) return;
    const auto type = JsonObject(json, name_ + ": decoder").required<std::string>("type");
    check(type == "ByteLevel", "{}: decoder '{}' is not supported, only ByteLevel", name_, type);
  }

  void read_post_processor(const Json& json) {
    if (json.is_null()) return;
    const JsonObject object(json, name_ + ": post_processor");
    const auto type = object.required<std::string>("type");
    if (type == "ByteLevel") return;  // moves offsets only
    if (type == "Sequence") {
      for (const Json& step : object.required<std::vector<Json>>("processors")) read_post_processor(step);
      return;
    }
    check(type == "TemplateProcessing", "{}: post-processor '{}' is not supported", name_, type);
    read_template(object.required<std::vector<Json>>("single"));
  }

  void read_template(const std::vector<Json>& items) {
    const std::string where = name_ + ": post_processor.single";
    bool text_seen = false;
    for (const Json& item : items) {
      if (item.is_object() && item.contains("Sequence")) {
        check(!text_seen, "{}: the text is there twice", where);
        text_seen = true;
        continue;
      }
      const JsonObject object(item, where);
      const auto content = object.child("SpecialToken").required<std::string>("id");
      const AddedToken* token = out_.added.find(content);
      check(token != nullptr, "{}: '{}' is not an added token", where, content);
      (text_seen ? out_.suffix : out_.prefix).push_back(token->id);
    }
    if (!out_.prefix.empty()) out_.bos = out_.prefix.front();
    if (!out_.suffix.empty()) out_.eos = out_.suffix.back();
  }

  std::string name_;
  JsonObject root_;
  std::unordered_map<std::string, int32_t> spelled_;  // vocabulary as written
  TokenizerDefinition out_;
};

// "bos_token" and the like: a string, or an object with the string as its content.
std::optional<int32_t> config_token(const TokenizerDefinition& definition, const JsonObject& config,
                                    const std::string& key) {
  const Json value = config.optional<Json>(key, nullptr);
  if (value.is_null()) return std::nullopt;
  const auto content = value.is_object() ? config.child(key).required<std::string>("content")
                                         : config.required<std::string>(key);
  const AddedToken* token = definition.added.find(content);
  if (token) return token->id;
  const auto spelled = definition.vocabulary.find(unspell_bytes(content).value_or(content));
  check(spelled != definition.vocabulary.end(), "{}: {} '{}' is not in tokenizer.json", config.where(), key,
        content);
  return spelled->second;
}

}  // namespace

TokenizerDefinition parse_tokenizer(std::string_view tokenizer_json, const std::string& name) {
  const Json json = parse_json(tokenizer_json, name);
  return DefinitionReader(json, name).read();
}

void apply_tokenizer_config(TokenizerDefinition& definition, const Json& json, const std::string& name) {
  const JsonObject config(json, name);
  if (const auto bos = config_token(definition, config, "bos_token")) definition.bos = bos;
  if (const auto eos = config_token(definition, config, "eos_token")) definition.eos = eos;
  const auto apply = [&](const std::string& flag, std::optional<int32_t> id, std::vector<int32_t>& place) {
    if (!config.has(flag)) return;
    place.clear();
    if (!config.required<bool>(flag)) return;
    check(id.has_value(), "{}: {} is true but there is no such token", name, flag);
    place = {*id};
  };
  apply("add_bos_token", definition.bos, definition.prefix);
  apply("add_eos_token", definition.eos, definition.suffix);
}

}  // namespace fathom
