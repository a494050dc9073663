#include "train/token_shard.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>

#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TokenVocabulary vocabulary(int32_t size) {
  return {.size = size, .bos = 0, .eos = 1, .fingerprint = "xxh3:0123"};
}

using Documents = std::vector<std::vector<int32_t>>;

void write_split(const std::string& dir, const std::string& split, const TokenVocabulary& v, int64_t limit,
                 const Documents& documents) {
  TokenShardWriter writer(dir, split, v, limit);
  for (const auto& document : documents) writer.add(document);
  writer.finish();
}

std::vector<int32_t> everything(const TokenShards& shards) {
  std::vector<int32_t> ids(static_cast<size_t>(shards.tokens()));
  shards.copy(0, shards.tokens(), ids.data());
  return ids;
}

// A shard of these ids with some metadata replaced; an empty value removes it.
void write_raw(const std::string& path, Tensor tokens, const std::string& type, const std::string& name,
               const std::map<std::string, std::string>& changed = {}) {
  std::map<std::string, std::string> metadata = {
      {"vocab_size", "100"}, {"bos", "0"}, {"eos", "1"}, {"tokenizer", "xxh3:0123"}, {"documents", "1"}};
  for (const auto& [key, value] : changed)
    if (value.empty())
      metadata.erase(key);
    else
      metadata[key] = value;
  write_safetensors(path, std::vector<NamedTensor>{{name, tokens, type}}, metadata);
}

TEST(TokenShards, RoundTripAcrossShards) {
  const Documents documents = {{0, 5, 1}, {0, 6, 7, 1}, {0, 8, 9, 10, 11, 12, 1}, {0, 1}, {0, 3, 1}};
  for (const int32_t size : {100, 65536, 65537, 102400}) {
    for (const int64_t limit : {1, 5, 7, 1000}) {
      TempDir dir;
      write_split(dir.path(), "train", vocabulary(size), limit, documents);
      write_split(dir.path(), "val", vocabulary(size), limit, {{0, 99, 1}});
      const TokenShards shards({dir.path()});
      EXPECT_THAT(everything(shards),
                  ElementsAre(0, 5, 1, 0, 6, 7, 1, 0, 8, 9, 10, 11, 12, 1, 0, 1, 0, 3, 1));
      EXPECT_EQ(shards.documents(), 5);
      EXPECT_EQ(shards.vocabulary(), vocabulary(size));
      EXPECT_EQ(shards.at(12), 12);
      std::vector<int32_t> part(7);
      shards.copy(5, 7, part.data());
      EXPECT_THAT(part, ElementsAre(7, 1, 0, 8, 9, 10, 11));
      shards.copy(19, 0, nullptr);
      EXPECT_THAT(everything(TokenShards({dir.path()}, "val")), ElementsAre(0, 99, 1));
    }
  }
}

TEST(TokenShards, LargeIdsKeepAllTheirBits) {
  TempDir dir;
  write_split(dir.path(), "train", vocabulary(65536), 100, {{0, 65535, 32768, 1}});
  EXPECT_THAT(everything(TokenShards({dir.path()})), ElementsAre(0, 65535, 32768, 1));
  write_split(dir.path(), "train", vocabulary(129280), 100, {{0, 65536, 129279, 1}});
  EXPECT_THAT(everything(TokenShards({dir.path()})), ElementsAre(0, 65536, 129279, 1));
}

TEST(TokenShards, ShardsEndWithDocuments) {
  TempDir dir;
  write_split(dir.path(), "train", vocabulary(100), 5, {{0, 5, 1}, {0, 6, 1}, {0, 2, 3, 4, 5, 6, 1}, {0, 1}});
  std::vector<int64_t> sizes;
  for (const std::string& file : shard_files({dir.path()}, "train"))
    sizes.push_back(TokenShards({file}).tokens());
  EXPECT_THAT(sizes, ElementsAre(3, 3, 7, 2));
  EXPECT_TRUE(shard_files({dir.path()}, "val").empty());
  EXPECT_FALSE(std::filesystem::exists(dir / "train-00004.safetensors"));
}

TEST(TokenShards, RefusesWhatIsNoShard) {
  TempDir dir;
  const std::string path = dir / "train-00000.safetensors";
  std::vector<int32_t> ids = {0, 2, 3, 1};
  const Tensor flat(ids.data(), DType::i32, {4});
  const auto error = [&](Tensor tokens, const std::string& type, const std::string& name,
                         const std::map<std::string, std::string>& changed = {}) {
    write_raw(path, tokens, type, name, changed);
    const std::string text = error_of([&] { TokenShards({path}); });
    EXPECT_TRUE(text.empty() || text.starts_with(path)) << text;
    return text;
  };
  EXPECT_EQ(error(flat, "", "tokens"), "");
  EXPECT_EQ(error(flat, "U32", "tokens"), "");
  EXPECT_THAT(error(flat, "", "ids"), HasSubstr("tensor 'tokens' is missing"));
  EXPECT_THAT(error(Tensor(ids.data(), DType::f32, {4}), "", "tokens"),
              HasSubstr("must hold U16, U32 or I32, got F32"));
  EXPECT_THAT(error(Tensor(ids.data(), DType::i32, {2, 2}), "", "tokens"), HasSubstr("one dimension, got 2"));
  EXPECT_THAT(error(Tensor(ids.data(), DType::i32, {0}), "", "tokens"), HasSubstr("is empty"));
  for (const char* key : {"vocab_size", "bos", "eos", "tokenizer", "documents"})
    EXPECT_THAT(error(flat, "", "tokens", {{key, ""}}), HasSubstr("lacks '" + std::string(key) + "'"));
  EXPECT_THAT(error(flat, "", "tokens", {{"vocab_size", "many"}}),
              HasSubstr("'vocab_size' must be an integer"));
  EXPECT_THAT(error(flat, "", "tokens", {{"vocab_size", "0"}}), HasSubstr("'vocab_size' must be positive"));
  EXPECT_THAT(error(flat, "", "tokens", {{"vocab_size", "99999999999"}}), HasSubstr("got '99999999999'"));
  EXPECT_THAT(error(flat, "", "tokens", {{"eos", "100"}}),
              HasSubstr("'eos' must be an integer from 0 to 99"));
  EXPECT_THAT(error(flat, "", "tokens", {{"bos", "-1"}}), HasSubstr("got '-1'"));
  EXPECT_THAT(error(flat, "", "tokens", {{"documents", "5"}}), HasSubstr("from 0 to 4"));
  write_file(path, "no safetensors");
  EXPECT_THAT(error_of([&] { TokenShards({dir.path()}); }), HasSubstr("not a safetensors file"));
}

TEST(TokenShards, NamesTheIdOutsideTheVocabulary) {
  TempDir dir;
  for (const int32_t bad : {100, -1}) {
    std::vector<int32_t> ids = {0, 2, bad, 1};
    write_raw(dir / "train-00001.safetensors", Tensor(ids.data(), DType::i32, {4}), "", "tokens");
    ids[2] = 99;
    write_raw(dir / "train-00000.safetensors", Tensor(ids.data(), DType::i32, {4}), "", "tokens");
    const TokenShards shards({dir.path()});
    EXPECT_EQ(error_of([&] { everything(shards); }),
              fmt::format("{}: token 2 is {}, outside the vocabulary of 100", dir / "train-00001.safetensors",
                          bad));
    EXPECT_EQ(shards.at(5), 2);
    EXPECT_NE(error_of([&] { shards.at(6); }), "");
  }
}

TEST(TokenShards, RefusesAMixtureOfVocabularies) {
  TempDir dir, other;
  write_split(dir.path(), "train", vocabulary(100), 100, {{0, 5, 1}});
  write_split(other.path(), "train", vocabulary(101), 100, {{0, 5, 1}});
  EXPECT_THAT(error_of([&] {
                TokenShards({dir.path(), other.path()});
              }),
              HasSubstr("different tokenizers (100 tokens, xxh3:0123; 101 tokens, xxh3:0123)"));
  TokenVocabulary renamed = vocabulary(100);
  renamed.fingerprint = "xxh3:4567";
  write_split(other.path(), "train", renamed, 100, {{0, 5, 1}});
  EXPECT_THAT(error_of([&] { TokenShards({dir.path(), other.path()}); }), HasSubstr("different tokenizers"));
}

TEST(TokenShards, RefusesNothingAtAll) {
  TempDir dir;
  EXPECT_EQ(error_of([&] { TokenShards({dir.path()}); }),
            "no token shards: there is no train-*.safetensors in " + dir.path());
  EXPECT_THAT(error_of([] { TokenShards({}); }), StartsWith("no token shards"));
  EXPECT_THAT(error_of([&] { TokenShards({dir / "gone"}); }), HasSubstr("gone"));
}

TEST(TokenShards, RefusesAGap) {
  TempDir dir;
  write_split(dir.path(), "train", vocabulary(100), 1, {{0, 5, 1}, {0, 1}, {0, 1}});
  std::filesystem::remove(dir / "train-00001.safetensors");
  EXPECT_EQ(
      error_of([&] { TokenShards({dir.path()}); }),
      dir.path() + ": incomplete data set: it has train-00002.safetensors but no train-00001.safetensors");
  EXPECT_EQ(TokenShards({dir / "train-00002.safetensors"}).tokens(), 2);
}

TEST(TokenShards, RefusesPlacesOutside) {
  TempDir dir;
  write_split(dir.path(), "train", vocabulary(100), 2, {{0, 5, 1}, {0, 1}});
  const TokenShards shards({dir.path()});
  std::vector<int32_t> out(8);
  for (const auto& [begin, n] :
       {std::pair<int64_t, int64_t>{-1, 1}, {0, 6}, {5, 1}, {2, -1}, {INT64_MAX - 9, 9}})
    EXPECT_THAT(error_of([&, begin = begin, n = n] { shards.copy(begin, n, out.data()); }),
                HasSubstr("hold 5"))
        << begin;
}

TEST(TokenShards, FingerprintIsOfTheTokensInOrder) {
  TempDir a, b, same, swapped;
  write_split(a.path(), "train", vocabulary(100), 3, {{0, 5, 1}, {0, 6, 1}});
  write_split(same.path(), "train", vocabulary(100), 3, {{0, 5, 1}, {0, 6, 1}});
  write_split(b.path(), "train", vocabulary(100), 3, {{0, 5, 1}, {0, 7, 1}});
  write_split(swapped.path(), "train", vocabulary(100), 3, {{0, 6, 1}, {0, 5, 1}});
  const auto of = [](std::vector<std::string> paths) { return TokenShards(paths).fingerprint(2, true); };
  EXPECT_EQ(of({a.path()}), of({same.path()}));
  EXPECT_NE(of({a.path()}), of({b.path()}));
  EXPECT_NE(of({a.path()}), of({swapped.path()}));
  EXPECT_NE(of({a.path(), b.path()}), of({b.path(), a.path()}));
}

TEST(TokenShards, AShardWithoutAHashIsReadForIt) {
  TempDir dir;
  std::vector<int32_t> ids = {0, 5, 1};
  write_raw(dir / "train-00000.safetensors", Tensor(ids.data(), DType::i32, {3}), "I32", "tokens");
  const std::string first = TokenShards({dir.path()}).fingerprint(1, false);
  ids[1] = 6;
  write_raw(dir / "train-00000.safetensors", Tensor(ids.data(), DType::i32, {3}), "I32", "tokens");
  EXPECT_NE(TokenShards({dir.path()}).fingerprint(1, false), first);
}

TEST(TokenShards, DamagedTokensAreFound) {
  TempDir dir;
  write_split(dir.path(), "train", vocabulary(100), 3, {{0, 5, 1}, {0, 6, 1}});
  const std::string path = dir / "train-00001.safetensors";
  std::string bytes = read_file(path);
  bytes[bytes.size() - 4] ^= 1;  // the 6
  write_file(path, bytes);
  EXPECT_THAT(error_of([&] { TokenShards({dir.path()}).fingerprint(2, true); }),
              ::testing::AllOf(HasSubstr("train-00001.safetensors: damaged"), HasSubstr("xxh3:")));
  EXPECT_EQ(error_of([&] { TokenShards({dir.path()}).fingerprint(2, false); }), "");
}

}  // namespace
}  // namespace fathom
