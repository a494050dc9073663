#include "data/near_duplicates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <string>

namespace fathom {
namespace {

std::vector<Word> words_of(const std::string& text) {
  std::vector<Word> words;
  WordSplitter().split(text, words);
  return words;
}

// n words, of which those from `other` on are others than in a text with another salt.
std::vector<Word> numbered(int n, int other, const std::string& salt) {
  std::string text;
  for (int i = 0; i < n; ++i) text += "w" + std::to_string(i) + (i < other ? "" : salt) + " ";
  return words_of(text);
}

double jaccard(const std::vector<Word>& a, const std::vector<Word>& b) {
  std::set<uint64_t> first, both, all;
  for (size_t i = 0; i + shingle_words <= a.size(); ++i) first.insert(gram_hash(&a[i], shingle_words));
  all = first;
  for (size_t i = 0; i + shingle_words <= b.size(); ++i) {
    const uint64_t hash = gram_hash(&b[i], shingle_words);
    if (first.contains(hash)) both.insert(hash);
    all.insert(hash);
  }
  return static_cast<double>(both.size()) / static_cast<double>(all.size());
}

TEST(MinHash, TellsTheOverlapOfShingles) {
  for (const int other : {0, 300, 500, 700, 900, 1000}) {
    const auto a = numbered(1000, other, "a"), b = numbered(1000, other, "b");
    const double exact = jaccard(a, b);
    const double told = similarity(sketch_of(*min_hash(a)), sketch_of(*min_hash(b)));
    // Four standard deviations of 112 draws.
    EXPECT_NEAR(told, exact, 4 * std::sqrt(exact * (1 - exact) / signature_size) + 0.02) << other;
  }
}

TEST(MinHash, AShortTextIsOneShingleAndOneWithoutWordsIsLikeNone) {
  EXPECT_EQ(*min_hash(words_of("Hello World")), *min_hash(words_of("hello, world!")));
  EXPECT_NE(*min_hash(words_of("hello world")), *min_hash(words_of("world hello")));
  EXPECT_FALSE(min_hash(words_of("... \n")).has_value());
}

TEST(NearDuplicates, TheFirstTextThatIsAlikeIsFound) {
  NearDuplicates index(0.8);
  index.keep(*min_hash(numbered(300, 0, "x")));
  index.keep(*min_hash(numbered(300, 0, "a")));
  index.keep(*min_hash(numbered(300, 295, "q")));
  EXPECT_EQ(index.find(*min_hash(numbered(300, 0, "a")))->text, 1u);
  EXPECT_EQ(index.find(*min_hash(numbered(300, 0, "a")))->similarity, 1);
  EXPECT_EQ(index.find(*min_hash(numbered(300, 297, "z")))->text, 2u);
  EXPECT_FALSE(index.find(*min_hash(numbered(300, 0, "other"))).has_value());
}

TEST(NearDuplicates, BandsFindNineOfTenAtTheThreshold) {
  for (const double threshold : {0.5, 0.7, 0.8, 0.9, 1.0}) {
    const size_t rows = band_rows(threshold);
    EXPECT_EQ(signature_size % rows, 0u);
    const auto bands = static_cast<double>(signature_size / rows);
    EXPECT_GE(1 - std::pow(1 - std::pow(threshold, static_cast<double>(rows)), bands), 0.9) << threshold;
  }
  EXPECT_EQ(band_rows(0.8), 8u);
}

}  // namespace
}  // namespace fathom
