// Broken and unsupported tokenizer.json files: one clear Error each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "text/test_data.h"

namespace fathom {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string message(const std::function<void(Json&)>& damage) {
  Json json = tiny_tokenizer();
  damage(json);
  try {
    Tokenizer::parse(json.dump(), "bad.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void expect(const std::string& part, const std::function<void(Json&)>& damage) {
  EXPECT_THAT(message(damage), AllOf(HasSubstr("bad.json"), HasSubstr(part)));
}

Json& model(Json& j) {
  return j["model"];
}
Json& vocab(Json& j) {
  return j["model"]["vocab"];
}

TEST(TokenizerErrors, NotATokenizer) {
  for (const char* text : {"", "{", "[]", "3", "null", "{}", "\xff", R"({"model": 3})", R"({"model": {}})"})
    EXPECT_THROW(Tokenizer::parse(text, "bad.json"), Error) << text;
  EXPECT_EQ(message([](Json&) {}), "no error");
}

TEST(TokenizerErrors, Vocabulary) {
  expect("vocab", [](Json& j) { model(j).erase("vocab"); });
  expect("vocab", [](Json& j) { vocab(j) = Json::array(); });
  expect("vocab", [](Json& j) { vocab(j) = Json::object(); });
  expect("vocab[b]", [](Json& j) { vocab(j)["b"] = "98"; });
  expect("vocab[b]", [](Json& j) { vocab(j)["b"] = 1.5; });
  expect("vocab[b]", [](Json& j) { vocab(j)["b"] = nullptr; });
  expect("id -1 is outside", [](Json& j) { vocab(j)["b"] = -1; });
  expect("is outside", [](Json& j) { vocab(j)["b"] = 4'000'000'000; });
  expect("is outside", [](Json& j) { vocab(j)["b"] = int64_t{1} << 22; });
  expect("id 97 twice", [](Json& j) { vocab(j)["b"] = 97; });
  expect("empty token", [](Json& j) { vocab(j)[""] = 300; });
}

TEST(TokenizerErrors, Merges) {
  expect("merges", [](Json& j) { model(j).erase("merges"); });
  expect("merges", [](Json& j) { model(j)["merges"] = "a b"; });
  expect("merges[0]", [](Json& j) { model(j)["merges"] = {"ab"}; });
  expect("merges[0]", [](Json& j) { model(j)["merges"] = {"a b c"}; });
  expect("merges[0]", [](Json& j) { model(j)["merges"] = {3}; });
  expect("merges[0]", [](Json& j) { model(j)["merges"] = Json::array({Json::array({"a", "b", "c"})}); });
  expect("merges[0]: 'ab' is not in", [](Json& j) { model(j)["merges"] = {"a b"}; });
  expect("merges[1]: 'xy' is not in", [](Json& j) {
    vocab(j)["ab"] = 256;
    model(j)["merges"] = {"a b", "xy z"};
  });
}

TEST(TokenizerErrors, ModelFeatures) {
  expect("'Unigram'", [](Json& j) { model(j)["type"] = "Unigram"; });
  expect("dropout", [](Json& j) { model(j)["dropout"] = 0.1; });
  expect("byte_fallback", [](Json& j) { model(j)["byte_fallback"] = true; });
  expect("fuse_unk", [](Json& j) { model(j)["fuse_unk"] = true; });
  expect("end_of_word_suffix", [](Json& j) { model(j)["end_of_word_suffix"] = "</w>"; });
  expect("continuing_subword_prefix", [](Json& j) { model(j)["continuing_subword_prefix"] = "##"; });
  expect("unk_token '<unk>'", [](Json& j) { model(j)["unk_token"] = "<unk>"; });
  expect("ignore_merges", [](Json& j) { model(j)["ignore_merges"] = "yes"; });
}

TEST(TokenizerErrors, OtherParts) {
  expect("normalizer 'NFC'", [](Json& j) { j["normalizer"] = {{"type", "NFC"}}; });
  expect("normalizer 'NFKC'", [](Json& j) {
    j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFKC"}}}}};
  });
  expect("pre_tokenizer", [](Json& j) { j["pre_tokenizer"] = nullptr; });
  expect("decoder 'WordPiece'", [](Json& j) { j["decoder"] = {{"type", "WordPiece"}}; });
  expect("'BertProcessing'", [](Json& j) { j["post_processor"] = {{"type", "BertProcessing"}}; });
  expect("'<s>' is not an added token", [](Json& j) {
    j["post_processor"] = {{"type", "TemplateProcessing"}, {"single", {{{"SpecialToken", {{"id", "<s>"}}}}}}};
  });
}

TEST(TokenizerErrors, AddedTokens) {
  const auto with = [](Json tokens) { return [tokens](Json& j) { j["added_tokens"] = tokens; }; };
  expect("added_tokens", with("x"));
  expect("added_tokens[0]", with(Json::array({3})));
  expect("content", with({{{"id", 300}}}));
  expect("empty content", with({{{"id", 300}, {"content", ""}}}));
  expect("'id'", with({{{"content", "<s>"}}}));
  expect("outside", with({{{"id", -3}, {"content", "<s>"}}}));
  expect("already belongs", with({{{"id", 97}, {"content", "<s>"}}}));
  expect("twice", with({{{"id", 300}, {"content", "<s>"}}, {{"id", 301}, {"content", "<s>"}}}));
  expect("has id 300 here and 97", with({{{"id", 300}, {"content", "a"}}}));
  EXPECT_EQ(message(with({{{"id", 97}, {"content", "a"}}})), "no error");
}

}  // namespace
}  // namespace fathom
