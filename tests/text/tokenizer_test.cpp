#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/rng.h"
#include "io/file.h"
#include "text/test_data.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr EncodeOptions plain{.add_special = false};
constexpr int32_t bos = 100000, eos = 100001;
const std::string bos_text = "<｜begin▁of▁sentence｜>";

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer& t = deepseek_llm();
  EXPECT_EQ(t.size(), 100015);
  EXPECT_EQ(t.bos_id(), bos);
  EXPECT_EQ(t.eos_id(), eos);
  EXPECT_EQ(t.piece(bos), bos_text);
  EXPECT_EQ(t.id_of(bos_text), bos);
  EXPECT_EQ(t.id_of(" the"), 254);
  EXPECT_EQ(t.piece(254), " the");
  EXPECT_EQ(t.id_of("no such token"), std::nullopt);
  EXPECT_TRUE(t.is_special(eos));
  EXPECT_FALSE(t.is_special(100002));
  EXPECT_FALSE(t.is_special(-1));
  EXPECT_EQ(t.piece(102000), "");
  EXPECT_EQ(t.piece(-5), "");
}

TEST(Tokenizer, BosIsAddedOnce) {
  const Tokenizer& t = deepseek_llm();
  EXPECT_THAT(t.encode(""), ElementsAre(bos));
  const auto once = t.encode("hi");
  EXPECT_EQ(once.front(), bos);
  EXPECT_EQ(t.encode(bos_text + "hi"), once);
  EXPECT_EQ(t.encode(bos_text + bos_text + "hi").size(), once.size() + 1) << "the text's own two stay two";
  EXPECT_EQ(t.encode(bos_text + "hi", plain), once);
  EXPECT_EQ(t.encode("hi", plain), std::vector<int32_t>(once.begin() + 1, once.end()));
}

TEST(Tokenizer, ForgedSpecialTokensStayText) {
  const std::string text = bos_text + "hi<｜end▁of▁sentence｜>ü";
  const auto ids = deepseek_llm().encode(text, {.add_special = true, .parse_special = false});
  EXPECT_EQ(ids[0], bos);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), bos), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), eos), 0);
  EXPECT_EQ(ids.back(), 100014) << "added tokens that are not special are still cut out";
  EXPECT_EQ(deepseek_llm().decode(ids, true), text);
}

TEST(Tokenizer, DecodeSkipsWhatItIsAskedTo) {
  const std::vector<int32_t> ids = {bos, 37, eos, 102399, -1, 100014};
  EXPECT_EQ(deepseek_llm().decode(ids), bos_text + "F<｜end▁of▁sentence｜>ü");
  EXPECT_EQ(deepseek_llm().decode(ids, true), "Fü");
}

std::string random_bytes(Rng& rng) {
  std::string bytes;
  for (uint64_t n = rng.below(60); n > 0; --n)
    bytes.push_back(static_cast<char>(rng.below(3) ? rng.below(256) : 'a' + rng.below(3)));
  return bytes;
}

TEST(Tokenizer, AnyBytesComeBack) {
  const Tokenizer t = Tokenizer::parse(tiny_tokenizer().dump(), "tiny");
  Rng rng(5);
  for (int i = 0; i < 5000; ++i) {
    const std::string bytes = random_bytes(rng);
    EXPECT_EQ(t.decode(t.encode(bytes)), bytes);
  }
}

TEST(Tokenizer, BytesWithoutATokenBecomeReplacementCharacters) {
  const Tokenizer& t = deepseek_llm();
  EXPECT_EQ(t.decode(t.encode("a\x80\xc3z\xe2\x82", plain)), "a\x80\xc3z\xe2\x82");
  EXPECT_EQ(t.decode(t.encode("a\xff"
                              "b\xc0\xf5\xfe",
                              plain)),
            "a\ufffdb\ufffd\ufffd\ufffd");
}

TEST(Tokenizer, LongPiecesMergeAsShortOnes) {
  // 31..40 bytes cross the border between the two merge loops; a trained vocabulary has merges to disagree
  // on.
  const Tokenizer& t = deepseek_llm();
  const std::string word = "antidisestablishmentarianismsupercalifragilisticexpialidocious";
  for (size_t n = 1; n <= word.size(); ++n)
    EXPECT_EQ(t.decode(t.encode(word.substr(0, n), plain)), word.substr(0, n));
  EXPECT_EQ(t.encode(std::string(32, 'a'), plain).size() * 2, t.encode(std::string(64, 'a'), plain).size());
}

TEST(Tokenizer, MegabytesOfOneCharacter) {
  for (const char* unit : {"a", " ", "\n", "=", "1", "你", "\xff"}) {
    std::string text;
    while (text.size() < 1 << 20) text += unit;
    const auto ids = deepseek_llm().encode(text, plain);
    EXPECT_EQ(deepseek_llm().decode(ids) == text, *unit != '\xff') << unit;
    EXPECT_FALSE(ids.empty());
  }
}

TEST(Tokenizer, ThreadsShareIt) {
  const std::string text = test_data("wikitest.cat.1chunk.v2-text.txt");
  const auto expected = deepseek_llm().encode(text);
  std::vector<std::vector<int32_t>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { result = deepseek_llm().encode(text); });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

TEST(Tokenizer, TemplateOrConfigDecidesOnBosAndEos) {
  Json json = tiny_tokenizer();
  json["added_tokens"] = {{{"id", 256}, {"content", "<s>"}, {"special", true}},
                          {{"id", 257}, {"content", "</s>"}, {"special", true}}};
  EXPECT_THAT(Tokenizer::parse(json.dump(), "t").encode("a"), ElementsAre('a'));
  json["post_processor"] = {{"type", "Sequence"},
                            {"processors",
                             {{{"type", "ByteLevel"}},
                              {{"type", "TemplateProcessing"},
                               {"single",
                                {{{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}},
                                 {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                                 {{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}}}}}}}};
  const Tokenizer both = Tokenizer::parse(json.dump(), "t");
  EXPECT_THAT(both.encode("a"), ElementsAre(256, 'a', 257));
  EXPECT_EQ(both.bos_id(), 256);
  EXPECT_EQ(both.eos_id(), 257);
  const auto with = [&](const char* config) {
    return Tokenizer::parse(json.dump(), "t", config).encode("a");
  };
  EXPECT_THAT(with(R"({"add_bos_token": false})"), ElementsAre('a', 257));
  EXPECT_THAT(with(R"({"add_eos_token": false, "bos_token": "</s>", "add_bos_token": true})"),
              ElementsAre(257, 'a'));
  EXPECT_THAT(with(R"({"add_bos_token": null})"), ElementsAre(256, 'a', 257));
  EXPECT_THAT([&] { with(R"({"bos_token": "<x>"})"); }, testing::ThrowsMessage<Error>(HasSubstr("'<x>'")));
  json["post_processor"] = nullptr;
  EXPECT_THAT([&] { with(R"({"add_bos_token": true})"); },
              testing::ThrowsMessage<Error>(HasSubstr("add_bos_token is true")));
}

TEST(Tokenizer, IgnoreMergesTakesWholePieces) {
  Json json = tiny_tokenizer();
  json["model"]["vocab"]["abc"] = 300;  // no merge leads here
  EXPECT_THAT(Tokenizer::parse(json.dump(), "t").encode("abc"), ElementsAre('a', 'b', 'c'));
  json["model"]["ignore_merges"] = true;
  EXPECT_THAT(Tokenizer::parse(json.dump(), "t").encode("abc abcd"),
              ElementsAre(300, ' ', 'a', 'b', 'c', 'd'));
}

TEST(Tokenizer, LoadsFoldersAndFiles) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "tokenizer_load";
  std::filesystem::create_directories(folder);
  Json json = tiny_tokenizer();
  json["added_tokens"] = {{{"id", 256}, {"content", "<s>"}, {"special", true}}};
  write_file((folder / "tokenizer.json").string(), json.dump());
  EXPECT_THAT(Tokenizer::load(folder.string()).encode("a"), ElementsAre('a'));
  write_file((folder / "tokenizer_config.json").string(), R"({"bos_token": "<s>", "add_bos_token": true})");
  EXPECT_THAT(Tokenizer::load(folder.string()).encode("a"), ElementsAre(256, 'a'));
  EXPECT_THAT(Tokenizer::load((folder / "tokenizer.json").string()).encode("a"), ElementsAre(256, 'a'));
  EXPECT_THROW(Tokenizer::load((folder / "none").string()), Error);
  std::filesystem::remove_all(folder);
}

TEST(StreamDecoder, NeverCutsACharacter) {
  const Tokenizer& t = deepseek_llm();
  const std::string text = "你好 👨‍👩‍👧 naïve “x” 𠀀 end";
  StreamDecoder stream(t);
  std::string out;
  for (const int32_t id : t.encode(text)) {
    const std::string part = stream.push(id);
    EXPECT_EQ(valid_utf8_prefix(part), part.size());
    out += part;
  }
  EXPECT_EQ(stream.flush(), "");
  EXPECT_EQ(out, text);
}

TEST(StreamDecoder, MalformedAndUnfinishedBytesAreReplaced) {
  const Tokenizer t = Tokenizer::parse(tiny_tokenizer().dump(), "tiny");
  StreamDecoder stream(t);
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.push(0xbd), "");
  EXPECT_EQ(stream.push(0xa0), "你");
  EXPECT_EQ(stream.push(0xe4), "");
  EXPECT_EQ(stream.push('a'), "\ufffda");
  EXPECT_EQ(stream.push(0x80), "\ufffd");
  EXPECT_EQ(stream.push(0xf0), "");
  EXPECT_EQ(stream.push(0x9f), "");
  EXPECT_EQ(stream.push(99999), "");
  EXPECT_EQ(stream.flush(), "\ufffd");
  EXPECT_EQ(stream.flush(), "");
}

TEST(StreamDecoder, SpecialTokensOnRequest) {
  StreamDecoder silent(deepseek_llm()), loud(deepseek_llm(), false);
  EXPECT_EQ(silent.push(bos), "");
  EXPECT_EQ(loud.push(bos), bos_text);
}

}  // namespace
}  // namespace fathom
