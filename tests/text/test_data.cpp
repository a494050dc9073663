#include "text/test_data.h"

#include <zstd.h>

#include <sstream>

#include "base/error.h"
#include "io/file.h"
#include "support/paths.h"
#include "text/byte_alphabet.h"

namespace fathom {
namespace {

std::string unpack(const std::string& packed) {
  std::string out(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
  const size_t size = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size());
  check(size == out.size(), "test data is damaged");
  return out;
}

Tokenizer load(const std::string& name) {
  return Tokenizer::parse(
      test_data(name + ".tokenizer.json.zst"), name,
      R"({"add_bos_token": true, "add_eos_token": false, "eos_token": "<｜end▁of▁sentence｜>",
                              "bos_token": {"content": "<｜begin▁of▁sentence｜>"}})");
}

}  // namespace

std::string test_data(const std::string& name) {
  const std::string content = read_file(testing::source_dir() + "/tests/text/data/" + name);
  return name.ends_with(".zst") ? unpack(content) : content;
}

std::vector<std::string> test_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Json> test_json_lines(const std::string& name) {
  std::vector<Json> lines;
  for (const std::string& line : test_lines(test_data(name))) lines.push_back(parse_json(line, name));
  return lines;
}

const Tokenizer& deepseek_llm() {
  static const Tokenizer tokenizer = load("deepseek-llm");
  return tokenizer;
}

const Tokenizer& deepseek_coder() {
  static const Tokenizer tokenizer = load("deepseek-coder");
  return tokenizer;
}

Json pre_tokenizer_of(const std::string& name) {
  return parse_json(test_data(name + ".tokenizer.json.zst"), name).at("pre_tokenizer");
}

Json v3_pre_tokenizer() {
  Json steps = Json::array();
  for (const char* pattern : {R"(\p{N}{1,3})", R"([一-龥぀-ゟ゠-ヿ]+)",
                              R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)"
                              "\r\n"
                              R"(\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)"
                              "\r\n"
                              R"(]*|\s*[)"
                              "\r\n"
                              R"(]+|\s+(?!\S)|\s+)"})
    steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}});
  steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

Json tiny_tokenizer() {
  Json vocab = Json::object();
  for (int b = 0; b < 256; ++b) vocab[spell_bytes(std::string(1, static_cast<char>(b)))] = b;
  return {{"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
          {"post_processor", nullptr},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", Json::array()}}}};
}

}  // namespace fathom
