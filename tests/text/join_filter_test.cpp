#include "text/join_filter.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "text/bpe_trainer.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// Characters of three and four bytes that share many of their bytes, and one of two: learned on bytes, the
// vocabulary has tokens of parts of characters, and of one's end and the next one's beginning.
std::string random_text(Rng& rng, size_t characters) {
  constexpr std::array<uint32_t, 12> alphabet = {0x4e00, 0x4e01, 0x4e40, 0x5000, 0x5001,  0x5040,
                                                 0x6001, 0x6040, 0xac00, 0xe9,   0x20000, 0x20001};
  std::string text;
  // Mostly from one half, so that some neighbours are frequent and others are never seen.
  for (size_t i = 0; i < characters; ++i)
    append_utf8(text, alphabet[rng.below(rng.below(8) ? alphabet.size() / 2 : alphabet.size())]);
  return text;
}

struct Vocabulary {
  std::vector<std::string> pieces;
  std::vector<MergeRule> rules;
  std::array<int32_t, 256> byte_ids;
};

Vocabulary learned(uint64_t seed, size_t merges) {
  Rng rng(seed);
  std::vector<std::pair<std::string, int64_t>> words;
  for (int i = 0; i < 40; ++i) words.emplace_back(random_text(rng, 1 + rng.below(6)), 1 + rng.below(9));
  const LearnedBpe bpe = learn_bpe(words, {256 + merges, 1});
  Vocabulary v{bpe.tokens, {bpe.merges.begin(), bpe.merges.end()}, {}};
  for (size_t id = 0; id < v.pieces.size(); ++id)
    if (v.pieces[id].size() == 1)
      v.byte_ids[static_cast<unsigned char>(v.pieces[id][0])] = static_cast<int32_t>(id);
  return v;
}

TEST(JoinFilter, PartsMergeAsTheWhole) {
  int64_t parts = 0, texts = 0;
  for (const uint64_t seed : {1, 2, 3, 4}) {
    const Vocabulary v = learned(seed, 20 * seed);
    const Bpe bpe(v.byte_ids, v.rules);
    const JoinFilter filter(v.byte_ids, v.rules, v.pieces);
    BpeScratch scratch;
    Rng rng(seed + 100);
    for (int i = 0; i < 2000; ++i, ++texts) {
      const std::string text = random_text(rng, 1 + rng.below(20));
      std::vector<int32_t> whole, cut;
      bpe.merge(text, scratch, whole);
      for (std::string_view left = text; !left.empty(); ++parts) {
        const size_t n = filter.first_part(left);
        ASSERT_GT(n, 0u);
        bpe.merge(left.substr(0, n), scratch, cut);
        left.remove_prefix(n);
      }
      ASSERT_EQ(cut, whole) << text;
    }
  }
  EXPECT_GT(parts, 2 * texts);
}

TEST(JoinFilter, CutsNowhereWhereBytesHaveNoTokenOfTheirOwn) {
  Vocabulary v = learned(1, 0);
  const std::string text = "\u4e00\u5000\u6001";
  EXPECT_EQ(JoinFilter(v.byte_ids, v.rules, v.pieces).first_part(text), 3u);
  v.byte_ids[0x80] = -1;  // in no character of the text, but it would vanish between two others
  EXPECT_EQ(JoinFilter(v.byte_ids, v.rules, v.pieces).first_part(text), text.size());
  EXPECT_EQ(JoinFilter().first_part(text), text.size());
}

}  // namespace
}  // namespace fathom
