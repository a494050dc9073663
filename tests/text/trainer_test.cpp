#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "text/bpe_trainer.h"
#include "text/test_data.h"
#include "text/tokenizer_trainer.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::pair<std::string, int64_t>>;

std::vector<std::string> learned(const Words& words, size_t merges, int64_t min_frequency = 1) {
  const LearnedBpe bpe = learn_bpe(words, {256 + merges, min_frequency});
  return {bpe.tokens.begin() + 256, bpe.tokens.end()};
}

TEST(BpeTrainer, ByHand) {
  // hug 10, pug 5, pun 12, bun 4, hugs 5: u-g 20, u-n 16, h-ug 15 ...
  const Words words = {{"hug", 10}, {"pug", 5}, {"pun", 12}, {"bun", 4}, {"hugs", 5}};
  EXPECT_THAT(learned(words, 3), ElementsAre("ug", "un", "hug"));
  EXPECT_THAT(learned(words, 6), ElementsAre("ug", "un", "hug", "pun", "pug", "hugs"));
  EXPECT_THAT(learned(words, 100, 5), ElementsAre("ug", "un", "hug", "pun", "pug", "hugs"));
  EXPECT_THAT(learned(words, 100, 13), ElementsAre("ug", "un", "hug"));
}

TEST(BpeTrainer, TiesGoToTheSmallerIds) {
  EXPECT_THAT(learned({{"cd", 3}, {"ab", 3}, {"ba", 3}}, 3), ElementsAre("ab", "ba", "cd"));
}

TEST(BpeTrainer, RepeatsOverlap) {
  EXPECT_THAT(learned({{"aaaa", 1}}, 10), ElementsAre("aa", "aaaa"));
  EXPECT_THAT(learned({{"aaaaa", 1}}, 10), ElementsAre("aa", "aaa", "aaaaa"));
  EXPECT_THAT(learned({{"abababab", 1}}, 10), ElementsAre("ab", "abab", "abababab"));
}

TEST(BpeTrainer, OneTokenTwoWays) {
  // abc is reached as ab+c and as a+bc; it gets one id.
  const LearnedBpe bpe = learn_bpe(Words{{"abc", 5}, {"ab", 9}, {"xbc", 30}, {"abcz", 2}}, {300, 1});
  std::vector<std::string> tokens = bpe.tokens;
  std::sort(tokens.begin(), tokens.end());
  EXPECT_EQ(std::unique(tokens.begin(), tokens.end()), tokens.end());
  for (const MergeRule& rule : bpe.merges)
    EXPECT_EQ(bpe.tokens[rule.result], bpe.tokens[rule.left] + bpe.tokens[rule.right]);
}

TEST(BpeTrainer, NothingToLearn) {
  EXPECT_THAT(learned({}, 10), ElementsAre());
  EXPECT_THAT(learned({{"a", 100}}, 10), ElementsAre());
  EXPECT_THROW(learn_bpe({}, {255, 1}), Error);
}

TokenizerFiles train(const std::vector<std::string>& documents, TokenizerTraining training) {
  TokenizerTrainer trainer(std::move(training));
  for (const std::string& document : documents) trainer.add(document);
  return trainer.train();
}

TEST(TokenizerTrainer, OrderAndThreadsDoNotMatter) {
  const std::string text = test_data("wikitest.cat.1chunk.v2-text.txt");
  const size_t half = text.find('\n', text.size() / 2) + 1;
  const TokenizerFiles one = train({text}, {.vocab_size = 800});
  const TokenizerFiles two =
      train({text.substr(half), text.substr(0, half)}, {.vocab_size = 800, .threads = 3});
  EXPECT_EQ(one.tokenizer_json, two.tokenizer_json);
  EXPECT_EQ(one.tokenizer_config_json, two.tokenizer_config_json);
}

TEST(TokenizerTrainer, ItsTokenizerWorks) {
  const std::string text = test_data("wikitest.cat.1chunk.v2-text.txt");
  const TokenizerFiles files = train({text}, {.vocab_size = 1000, .more_special = {"<｜User｜>"}});
  const Tokenizer t = Tokenizer::parse(files.tokenizer_json, "new", files.tokenizer_config_json);
  EXPECT_EQ(t.size(), 1000);
  EXPECT_EQ(t.bos_id(), 997);
  EXPECT_EQ(t.eos_id(), 998);
  EXPECT_EQ(t.id_of("<｜User｜>"), 999);
  EXPECT_EQ(t.piece(0), "!");
  EXPECT_EQ(t.encode("")[0], 997);
  for (const std::string& sample : {text, std::string("你好 \xff\xc0 😀 \x01"), std::string()})
    EXPECT_EQ(t.decode(t.encode(sample, {.add_special = false})), sample);
  EXPECT_LT(t.encode(text).size(), text.size() / 2);
  EXPECT_EQ(parse_json(files.tokenizer_json, "new").at("pre_tokenizer"), pre_tokenizer_of("deepseek-llm"));
}

TEST(TokenizerTrainer, CountsPiecesOfMalformedTextAroundTheDamage) {
  const TokenizerFiles files = train({"xy\xff xy\xc3", "xy\xe4\xbd"}, {.vocab_size = 300});
  const Tokenizer t = Tokenizer::parse(files.tokenizer_json, "new");
  EXPECT_TRUE(t.id_of("xy").has_value());
  EXPECT_EQ(t.size(), 256 + 1 + 2) << "only one pair occurs twice";
}

TEST(TokenizerTrainer, DocumentsLongerThanABlock) {
  std::string text;
  for (int i = 0; text.size() < 5 << 20; ++i) text += "line number " + std::to_string(i) + "\n";
  const TokenizerFiles whole = train({text}, {.vocab_size = 400, .threads = 2});
  std::vector<std::string> lines;
  for (const std::string& line : test_lines(text)) lines.push_back(line + "\n");
  EXPECT_EQ(whole.tokenizer_json, train(lines, {.vocab_size = 400}).tokenizer_json);
}

TEST(TokenizerTrainer, RefusesWhatCannotBe) {
  EXPECT_THAT([] { train({}, {.vocab_size = 257}); }, testing::ThrowsMessage<Error>(HasSubstr("257")));
  EXPECT_THAT([] { train({}, {.vocab_size = 258, .more_special = {"<x>"}}); },
              testing::ThrowsMessage<Error>(HasSubstr("3 special tokens")));
}

TEST(TokenizerTrainer, SavesAFolder) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "trained" / "tokenizer";
  train({"ab ab"}, {.vocab_size = 300}).save(folder.string());
  EXPECT_TRUE(Tokenizer::load(folder.string()).id_of("ab").has_value());
  std::filesystem::remove_all(folder.parent_path());
}

}  // namespace
}  // namespace fathom
