// The forms of preference data.
#include "align/preference_row.h"

#include <gmock/gmock.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

PreferenceRow row(const std::string& json) {
  return preference_rows(Json::parse(json), "f:1").at(0);
}
const Json chosen = Json::parse(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}])");
const Json rejected = Json::parse(R"([{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}])");

TEST(PreferenceRow, EachFormIsTheSamePreference) {
  for (const char* form :
       {R"({"prompt": "Q", "chosen": "A", "rejected": "B"})",
        R"({"prompt": [{"role": "user", "content": "Q"}], "chosen": [{"role": "assistant", "content": "A"}], "rejected": [{"role": "assistant", "content": "B"}]})",
        R"({"prompt": "Q", "chosen": {"role": "assistant", "content": "A"}, "rejected": {"role": "assistant", "content": "B"}})",
        R"({"conversations": [{"from": "human", "value": "Q"}], "chosen": {"from": "gpt", "value": "A"}, "rejected": {"from": "gpt", "value": "B"}})",
        R"({"chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]})",
        R"({"chosen_messages": [{"role": "user", "content": [{"type": "text", "value": "Q"}]}, {"role": "assistant", "content": "A"}], "rejected_messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]})",
        R"({"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: B"})"}) {
    const PreferenceRow r = row(form);
    EXPECT_EQ(r.chosen.messages, chosen) << form;
    EXPECT_EQ(r.rejected.messages, rejected) << form;
  }
}

TEST(PreferenceRow, WhatBothSayIsNotLearned) {
  const PreferenceRow r =
      row(R"({"chosen": "\n\nHuman: Q\n\nAssistant: same\n\nHuman: R\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: same\n\nHuman: R\n\nAssistant: B"})");
  ASSERT_EQ(r.chosen.messages.size(), 4u);
  EXPECT_EQ(r.chosen.messages[1]["weight"], 0);
  EXPECT_EQ(r.rejected.messages[1]["weight"], 0);
  EXPECT_FALSE(r.chosen.messages[3].contains("weight"));
}

TEST(PreferenceRow, MarginsTiesAndWeights) {
  const PreferenceRow r = row(R"({"prompt": "Q", "chosen": "A", "rejected": "B", "margin": 0.5, "weight": 2})");
  EXPECT_EQ(r.label.margin, 0.5);
  EXPECT_EQ(r.label.weight, 2);
  EXPECT_FALSE(r.label.tie);
  const PreferenceRow tie = row(R"({"prompt": "Q", "chosen": "A", "rejected": "A", "tie": true})");
  EXPECT_TRUE(tie.label.tie);
  EXPECT_FALSE(tie.chosen.messages[1].contains("weight"));
}

TEST(PreferenceRow, ATreeIsEachTwoRepliesOfDifferentRank) {
  const auto rows = preference_rows(Json::parse(R"({"prompt": {"role": "prompter", "text": "Q", "replies": [
      {"role": "assistant", "text": "C", "rank": 2}, {"role": "assistant", "text": "A", "rank": 0, "replies": [
          {"role": "prompter", "text": "R", "replies": [{"role": "assistant", "text": "x", "rank": 1},
              {"role": "assistant", "text": "y", "rank": 0}, {"role": "assistant", "text": "unranked"}]}]},
      {"role": "assistant", "text": "B", "rank": 1}]}})"),
                                    "f:1");
  ASSERT_EQ(rows.size(), 4u);
  std::vector<std::string> pairs;
  for (const PreferenceRow& r : rows)
    pairs.push_back(r.chosen.messages.back()["content"].get<std::string>() + ">" +
                    r.rejected.messages.back()["content"].get<std::string>());
  EXPECT_THAT(pairs, ::testing::UnorderedElementsAre("A>B", "A>C", "B>C", "y>x"));
  EXPECT_EQ(rows.back().chosen.messages.size(), 4u);
}

TEST(PreferenceRow, SaysWhatIsWrong) {
  for (const auto& [json, words] : std::vector<std::pair<const char*, const char*>>{
           {R"({"prompt": "Q", "chosen": "A"})", "field 'rejected' is missing"},
           {R"({"prompt": "Q", "chosen": "A", "rejected": "A"})", "the same"},
           {R"({"chosen": [{"role": "user", "content": "Q"}], "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}]})",
            "the other's beginning"},
           {R"({"chosen": "Hello", "rejected": "B"})", "a transcript must begin"},
           {R"({"prompt": "Q", "chosen": 3, "rejected": "B"})", "messages must be a list"},
           {R"({"prompt": "Q", "chosen": "A", "rejected": "B", "margin": -1})", "'margin' is -1"},
           {R"({"prompt": {"role": "prompter", "text": "Q"}})", "a tree without two replies"}})
    EXPECT_THAT(error_of([json = json] { row(json); }), AllOf(HasSubstr("f:1"), HasSubstr(words))) << json;
}

TEST(ScoredRow, HasAScoreOrALabel) {
  EXPECT_EQ(scored_row(Json::parse(R"({"prompt": "Q", "response": "A", "score": 0.25, "weight": 3})"), "f:1").label.score, 0.25);
  EXPECT_EQ(scored_row(Json::parse(R"({"prompt": "Q", "response": "A", "label": true})"), "f:1").label.score, 1);
  EXPECT_THAT(error_of([] { scored_row(Json::parse(R"({"prompt": "Q", "response": "A"})"), "f:1"); }),
              HasSubstr("needs a score, or a label"));
}

}  // namespace
}  // namespace fathom
