// The seam of prompt and answer, and what stands before a text.
#include "eval/seam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eval/merging_tokenizer.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

jinja::Text text(const std::string& bytes) {
  return {bytes, true};
}
std::vector<int32_t> scored(const Seam& seam) {
  return {seam.ids.begin() + seam.cut, seam.ids.end()};
}

TEST(Seam, BlanksBeforeItAreTheAnswers) {
  // 257: " A"
  const Tokenizer tokenizer = merging_tokenizer({{" ", "A"}}, false);
  const SeamEncoder encoder(tokenizer, true);
  for (const auto& [prompt, answer] : {std::pair("x:", " A"), {"x: ", "A"}, {"x:  ", "A"}}) {
    const Seam seam = encoder.pair(text(prompt), text(answer));
    EXPECT_EQ(scored(seam).back(), 257) << prompt;
    EXPECT_EQ(tokenizer.decode(seam.ids), std::string(prompt) + answer);
    EXPECT_EQ(seam.cut, 2);
  }
  EXPECT_EQ(trailing_blanks("a \n\t"), 3u);
  EXPECT_EQ(trailing_blanks("a\xe3\x80\x80\xc2\xa0"), 5u);  // ideographic and no-break space
  EXPECT_EQ(trailing_blanks("a\xe3\x80\x81"), 0u);
  EXPECT_EQ(trailing_blanks(" "), 1u);
  EXPECT_EQ(trailing_blanks(""), 0u);
}

TEST(Seam, GoesBeforeATokenThatLiesAcrossIt) {
  // 257: "bc"
  const Tokenizer tokenizer = merging_tokenizer({{"b", "c"}}, false);
  const SeamEncoder encoder(tokenizer, true);
  const Seam across = encoder.pair(text("ab"), text("c"));
  EXPECT_THAT(across.ids, ElementsAre('a', 257));
  EXPECT_EQ(across.cut, 1);
  // Every answer to one prompt is cut at the same place.
  const std::vector<Seam> all = encoder.answers(text("ab"), {text("c"), text("d")});
  EXPECT_THAT(scored(all[0]), ElementsAre(257));
  EXPECT_THAT(scored(all[1]), ElementsAre('b', 'd'));
}

TEST(Seam, HasOneBosThatIsNeverScored) {
  const Tokenizer with = merging_tokenizer({}, true), without = merging_tokenizer({}, false);
  // Not the token that the tokenizer's files put behind a text.
  EXPECT_THAT(beginning_of(with), ElementsAre(256));
  EXPECT_THAT(beginning_of(without), ElementsAre());
  const Seam seam = SeamEncoder(with, true).pair(text("a"), text("b"));
  EXPECT_THAT(seam.ids, ElementsAre(256, 'a', 'b'));
  EXPECT_EQ(seam.cut, 2);
  // Behind a template's text none is added.
  EXPECT_THAT(SeamEncoder(with, false).pair(text("a"), text("b")).ids, ElementsAre('a', 'b'));
  // Spelled out in the data it is text.
  const Seam forged = SeamEncoder(with, true).pair(text("<end>"), text("b"));
  EXPECT_EQ(forged.ids.size(), 7u);
  EXPECT_THAT(SeamEncoder(with, true).pair(jinja::Text("<end>", false), text("b")).ids,
              ElementsAre(256, 256, 'b'));
}

TEST(Seam, NeedsATokenBeforeIt) {
  const Tokenizer with = merging_tokenizer({}, true), without = merging_tokenizer({}, false);
  Seam seam = SeamEncoder(with, true).pair({}, text("b"));
  EXPECT_THAT(seam.ids, ElementsAre(256, 'b'));
  EXPECT_EQ(seam.cut, 1);
  // A prompt of blanks moves into the answer as a whole.
  seam = SeamEncoder(with, true).pair(text(" "), text("b"));
  EXPECT_THAT(scored(seam), ElementsAre(' ', 'b'));
  seam = SeamEncoder(with, false).pair({}, text("b"));
  EXPECT_THAT(seam.ids, ElementsAre(256, 'b'));
  EXPECT_THAT(error_of([&] { SeamEncoder(without, true).pair({}, text("b")); }),
              HasSubstr("no token to begin with"));
}

}  // namespace
}  // namespace fathom::testing
