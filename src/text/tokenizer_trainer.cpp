#include "text/tokenizer_trainer.h"

#include "base/error.h"
#include "io/atomic_folder.h"
#include "io/file.h"
#include "text/bpe_trainer.h"
#include "text/byte_alphabet.h"

namespace fathom {
namespace {

// DeepSeek-V2's cuts, one after another: newlines; words of Latin, Greek, Cyrillic and the like; punctuation;
// white space at the end; Chinese, Japanese and Korean runs. Digits, one by one, follow.
constexpr const char* deepseek_patterns[] = {
    "[\r\n]",
    "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-"
    "ᵷᵹ-"
    "ᶚḀ-"
    "ἕἘ-"
    "Ἕἠ-ὅ"
    "Ὀ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-"
    "ꚛꜢ-"
    "ꝯ"
    "ꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-"
    "𑣟𞤀-"
    "𞥃]"
    "+",
    "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "\\s+$", "[一-龥ࠀ-一가-퟿]+"};

OrderedJson deepseek_pre_tokenizer() {
  OrderedJson steps = OrderedJson::array();
  for (const char* pattern : deepseek_patterns)
    steps.push_back(
        {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
  steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
  steps.push_back(
      {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

OrderedJson added_token(const std::string& content) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false},
          {"rstrip", false},    {"normalized", false},  {"special", true}};
}

OrderedJson bos_template(const std::string& bos, size_t id) {
  const OrderedJson special = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const auto sequence = [](const char* name, int type) {
    return OrderedJson{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  const OrderedJson token = {{"id", bos}, {"ids", {id}}, {"tokens", {bos}}};
  OrderedJson second = special;
  second["SpecialToken"]["type_id"] = 1;
  return {{"type", "TemplateProcessing"},
          {"single", {special, sequence("A", 0)}},
          {"pair", {special, sequence("A", 0), second, sequence("B", 1)}},
          {"special_tokens", {{bos, token}}}};
}

// By hand: the ordered JSON type searches all keys at every insertion.
std::string model_json(const LearnedBpe& bpe) {
  std::string out =
      R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,"end_of_word_suffix":null,)"
      R"("fuse_unk":false,"byte_fallback":false,"vocab":{)";
  const auto name = [&bpe](int32_t id) { return spell_bytes(bpe.tokens[id]); };
  for (size_t id = 0; id < bpe.tokens.size(); ++id)
    out += (id ? ",\n" : "\n") + json_quoted(name(static_cast<int32_t>(id))) + ":" + std::to_string(id);
  out += "\n},\"merges\":[";
  for (size_t i = 0; i < bpe.merges.size(); ++i)
    out += (i ? ",\n" : "\n") + json_quoted(name(bpe.merges[i].left) + " " + name(bpe.merges[i].right));
  return out + "\n]}";
}

std::string tokenizer_json(const LearnedBpe& bpe, const std::vector<std::string>& specials) {
  OrderedJson document = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}};
  for (size_t i = 0; i < specials.size(); ++i) {
    OrderedJson token = {{"id", bpe.tokens.size() + i}};
    token.update(added_token(specials[i]));
    document["added_tokens"].push_back(token);
  }
  document["normalizer"] = nullptr;
  document["pre_tokenizer"] = deepseek_pre_tokenizer();
  document["post_processor"] = bos_template(specials[0], bpe.tokens.size());
  document["decoder"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  std::string text = document.dump();
  text.pop_back();  // the closing brace
  return text + ",\n\"model\":" + model_json(bpe) + "}\n";
}

std::string tokenizer_config_json(const TokenizerTraining& training) {
  OrderedJson config = {{"add_bos_token", true}, {"add_eos_token", false}};
  config["bos_token"] = training.bos;
  config["eos_token"] = training.eos;
  config["pad_token"] = training.eos;
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = "PreTrainedTokenizerFast";
  return config.dump(2) + "\n";
}

}  // namespace

void TokenizerFiles::save(const std::string& folder) const {
  AtomicFolder out(folder, {"tokenizer.json", "tokenizer_config.json"});
  write_file(out.path() + "/tokenizer.json", tokenizer_json);
  write_file(out.path() + "/tokenizer_config.json", tokenizer_config_json);
  out.commit();
}

TokenizerTrainer::TokenizerTrainer(TokenizerTraining training)
    : training_(std::move(training)),
      pre_tokenizer_(Json(deepseek_pre_tokenizer()), "pre_tokenizer"),
      counts_(pre_tokenizer_, training_.threads) {
  const size_t specials = 2 + training_.more_special.size();
  check(training_.vocab_size >= 256 + specials,
        "a vocabulary of {} tokens is too small: 256 bytes and {} special tokens", training_.vocab_size,
        specials);
}

TokenizerFiles TokenizerTrainer::train(const std::function<void(size_t)>& progress) {
  std::vector<std::string> specials = {training_.bos, training_.eos};
  specials.insert(specials.end(), training_.more_special.begin(), training_.more_special.end());
  const auto words = counts_.take();
  const BpeLimits limits = {training_.vocab_size - specials.size(), training_.min_frequency};
  const LearnedBpe bpe = learn_bpe(words, limits, progress);
  return {tokenizer_json(bpe, specials), tokenizer_config_json(training_)};
}

}  // namespace fathom
