#include "align/rewards/wire.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "text/sent_json.h"

namespace fathom {
namespace {

std::string read(const std::string& text) {
  const std::optional<Json> json = parse_sent(text);
  const std::optional<Score> score = json ? score_from_json(*json) : std::nullopt;
  if (!score) return "none";
  return fmt::format("{} {} {}", score->id, score->value ? fmt::format("{}", *score->value) : "-",
                     score->reason);
}

TEST(Wire, AnswersAreOneLineOfValidJson) {
  const Json row = {{"answer", "5"}};
  const RewardInput answer{3, &row, "a\nb\xff\"", 7, true};
  const std::string line = json_line(answer_to_json(answer, 12));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(Json::parse(line),
            (Json{{"id", 12}, {"text", "a\nb\uFFFD\""}, {"tokens", 7}, {"truncated", true}, {"row", row}}));
}

TEST(Wire, Scores) {
  EXPECT_EQ(read(R"({"id": 3, "reward": 0.5})"), "3 0.5 ");
  EXPECT_EQ(read(R"({"id": 3, "reward": -2, "more": [1]})"), "3 -2 ");
  EXPECT_EQ(read(R"({"id": 3, "reward": null, "error": "too long"})"), "3 - too long");
  EXPECT_EQ(read(R"({"id": 3, "reward": NaN})"), "3 - the reply's 'reward' is null or not finite");
  EXPECT_EQ(read(R"({"id": 3, "x": "NaN\" -Infinity", "reward": -Infinity})"),
            "3 - the reply's 'reward' is null or not finite");
  EXPECT_EQ(read(R"({"id": 3, "error": "NaN \\", "reward": Infinity})"), "3 - NaN \\");
  EXPECT_EQ(read(R"({"id": 3})"), "3 - the reply has no 'reward'");
  EXPECT_EQ(read(R"({"id": 3, "reward": true})"), "3 - the reply's 'reward' is not a number");
  for (const char* text :
       {"", "hello", "[]", "5", "{}", R"({"id": "3", "reward": 1})", R"({"id": 3.5, "reward": 1})",
        R"({"id": 3, "reward": 1} {})", R"({"id": 3, "id": 4, "reward": 1})", "NaN", "\"NaN"})
    EXPECT_EQ(read(text), "none") << text;
}

TEST(Wire, ReasonsAreOneShortLine) {
  EXPECT_EQ(as_reason("a\nb\tc"), "a b c");
  EXPECT_EQ(as_reason(std::string(199, 'x') + "é" + "y"), std::string(199, 'x'));
  EXPECT_EQ(as_reason("a\xff"), "a");
}

}  // namespace
}  // namespace fathom
