#include "data/words.h"

#include <gmock/gmock.h>

#include <string>

namespace fathom {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> words_of(const std::string& text) {
  std::vector<Word> words;
  WordSplitter().split(text, words);
  std::vector<std::string> pieces;
  for (const Word& w : words) pieces.push_back(text.substr(w.begin, w.end - w.begin));
  return pieces;
}

std::vector<uint64_t> hashes_of(const std::string& text) {
  std::vector<Word> words;
  WordSplitter().split(text, words);
  std::vector<uint64_t> hashes;
  for (const Word& w : words) hashes.push_back(w.hash);
  return hashes;
}

TEST(Words, LieBetweenWhatIsNoLetterOrDigit) {
  EXPECT_THAT(words_of("One, two\n(3rd) na\xc3\xafve\xff"
                       "end"),
              ElementsAre("One", "two", "3rd", "na\xc3\xafve", "end"));
  EXPECT_THAT(words_of(""), ElementsAre());
  EXPECT_THAT(words_of("--- ... \n"), ElementsAre());
}

TEST(Words, CharactersOfScriptsWithoutSpacesStandAlone) {
  EXPECT_THAT(words_of("你好，GPU世"), ElementsAre("你", "好", "GPU", "世"));
}

TEST(Words, CaseLineEndsAndPunctuationDoNotMatter) {
  EXPECT_EQ(hashes_of("The CAT,\nÉcole Ωmega Жук"), hashes_of("the cat école ωmega жук"));
  EXPECT_NE(hashes_of("the cat"), hashes_of("cat the"));
}

}  // namespace
}  // namespace fathom
