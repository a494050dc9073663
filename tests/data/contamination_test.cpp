#include "data/contamination.h"

#include <gtest/gtest.h>

#include <string>

#include "data/evaluation_text.h"
#include "io/file.h"
#include "support/temp_dir.h"

namespace fathom {
namespace {

const std::string item = "Natalia sold clips to 48 of her friends in April, and then she sold half as many.";

class ContaminationTest : public ::testing::Test {
 protected:
  std::string found(const std::string& text) const {
    std::vector<Word> words;
    splitter_.split(text, words);
    const auto match = contamination_.find(words);
    return match ? *match->place : "";
  }
  WordSplitter splitter_;
  Contamination contamination_{splitter_, 13};
};

TEST_F(ContaminationTest, ThirteenWordsInARowGiveItAway) {
  contamination_.add(item, "a.jsonl:1");
  EXPECT_EQ(found("Before. " + item + " After."), "a.jsonl:1");
  EXPECT_EQ(found("x natalia SOLD clips\nto 48 of her\n\nfriends in april and then she y"), "a.jsonl:1");
  EXPECT_EQ(found("x natalia sold clips to 48 of her friends in april and then y"), "") << "twelve words";
}

TEST_F(ContaminationTest, AShortItemIsLookedForWholeAndAVeryShortOneNotAtAll) {
  contamination_.add("one two three four five six seven eight", "short");
  contamination_.add("Yes, forty two.", "answer");
  EXPECT_EQ(contamination_.texts(), 2);
  EXPECT_EQ(contamination_.too_short(), 1);
  EXPECT_EQ(found("zero one two three four five six seven eight"), "short");
  EXPECT_EQ(found("zero one two three four five six seven nine"), "");
  EXPECT_EQ(found("yes forty two"), "");
}

TEST(EvaluationText, EveryStringOfJsonAndTheWholeOfOtherFiles) {
  TempDir dir;
  write_file(dir / "a.jsonl", "{\"q\":\"one\",\"n\":3}\n\n{\"list\":[\"two\",{\"x\":\"three\"}]}\n");
  write_file(dir / "b.json", "[\"four\"]");
  write_file(dir / "c.csv", "five,\nsix");
  std::string all;
  read_evaluation_texts({dir.path()}, [&](std::string_view text, const std::string& place) {
    all += fmt::format("{}={};", place.substr(dir.path().size() + 1), text);
  });
  EXPECT_EQ(all, "a.jsonl:1=one;a.jsonl:3=two;a.jsonl:3=three;b.json=four;c.csv=five,\nsix;");
  write_file(dir / "a.jsonl", "{\n");
  EXPECT_NE(error_of([&] {
              read_evaluation_texts({dir / "a.jsonl"}, [](std::string_view, const std::string&) {});
            }).find("a.jsonl:1"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom
