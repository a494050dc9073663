// Ids that other programs gave: DeepSeek's own vectors as collected from public repositories, and what
// Hugging Face's tokenizers gives for awkward texts (tools/make_tokenizer_golden.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "text/test_data.h"

namespace fathom {
namespace {

constexpr EncodeOptions plain{.add_special = false};

std::vector<std::string> texts_between_separators(const std::string& file) {
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  size_t begin = 0;
  for (size_t end; (end = file.find(separator, begin)) != std::string::npos; begin = end + separator.size())
    texts.push_back(file.substr(begin, end - begin));
  return texts;
}

void expect_text_vectors(const Tokenizer& tokenizer, const std::string& name) {
  const auto texts = texts_between_separators(test_data(name + ".inp"));
  const auto lines = test_lines(test_data(name + ".out"));
  ASSERT_EQ(texts.size(), 46u);
  ASSERT_EQ(lines.size(), 46u);
  for (size_t i = 0; i < texts.size(); ++i) {
    std::vector<int32_t> ids;
    std::istringstream in(lines[i]);
    for (int32_t id; in >> id;) ids.push_back(id);
    EXPECT_EQ(tokenizer.encode(texts[i], plain), ids) << name << ": " << texts[i];
    EXPECT_EQ(tokenizer.decode(ids), texts[i]);
  }
}

TEST(Golden, DeepSeekLlmTexts) {
  expect_text_vectors(deepseek_llm(), "ggml-vocab-deepseek-llm.gguf");
}
TEST(Golden, DeepSeekCoderTexts) {
  expect_text_vectors(deepseek_coder(), "ggml-vocab-deepseek-coder.gguf");
}

TEST(Golden, WikiTextOfDeepSeekV2) {
  std::vector<int32_t> expected;
  std::istringstream in(test_data("wikitest.cat.1chunk.v2-encoded.txt"));
  for (std::string id; std::getline(in, id, ',');) expected.push_back(std::stoi(id));
  const std::string text = test_data("wikitest.cat.1chunk.v2-text.txt");
  ASSERT_EQ(expected.size(), 8192u);
  EXPECT_EQ(deepseek_llm().encode(text), expected);
  EXPECT_EQ(deepseek_llm().decode(expected, true), text);
}

TEST(Golden, DeepSeekV2Prompts) {
  const auto vectors = test_json_lines("vectors_v2.jsonl");
  ASSERT_EQ(vectors.size(), 5u);
  for (const Json& v : vectors)
    EXPECT_EQ(deepseek_llm().encode(v.at("text").get<std::string>()),
              v.at("ids").get<std::vector<int32_t>>());
}

TEST(Golden, HuggingFaceOnAwkwardTexts) {
  Json v3 = parse_json(test_data("deepseek-coder.tokenizer.json.zst"), "coder");
  v3["pre_tokenizer"] = v3_pre_tokenizer();
  const Tokenizer v3_split = Tokenizer::parse(v3.dump(), "v3-split");
  const std::vector<std::pair<std::string, const Tokenizer*>> tokenizers = {
      {"deepseek-llm", &deepseek_llm()}, {"deepseek-coder", &deepseek_coder()}, {"v3-split", &v3_split}};
  const auto lines = test_json_lines("hf_vectors.jsonl");
  ASSERT_GT(lines.size(), 300u);
  for (const Json& line : lines) {
    const auto text = line.at("text").get<std::string>();
    for (const auto& [name, tokenizer] : tokenizers) {
      EXPECT_EQ(tokenizer->encode(text, plain), line.at(name).get<std::vector<int32_t>>())
          << name << ": " << line.at("text").dump(-1, ' ', true);
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, plain)), text);
    }
  }
}

TEST(Golden, HuggingFaceByComponent) {
  const auto lines = test_json_lines("hf_components.jsonl");
  ASSERT_GT(lines.size(), 60u);
  for (size_t i = 1; i < lines.size(); ++i) {
    Json document = lines[0].at("base");
    document.update(lines[i].at("replace"));
    const Tokenizer tokenizer = Tokenizer::parse(document.dump(), "component");
    for (const Json& test : lines[i].at("cases"))
      EXPECT_EQ(tokenizer.encode(test[0].get<std::string>(), plain), test[1].get<std::vector<int32_t>>())
          << lines[i].at("replace").dump() << " on " << test[0].dump(-1, ' ', true);
  }
}

}  // namespace
}  // namespace fathom
