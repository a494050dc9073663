#include "judge/mt_bench.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "judge/mt_bench_items.h"
#include "judge/mt_bench_scores.h"
#include "judge/mt_files.h"
#include "judge/published.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::published;

class MtBenchFiles : public ::testing::Test {
 protected:
  void SetUp() override { testing::write_mt_files(dir_); }
  MtBench bench() const {
    return {read_mt_questions(dir_ / "question.jsonl"), read_mt_answers(dir_ / "references.jsonl"),
            read_judge_prompts(dir_ / "prompts.jsonl")};
  }
  TempDir dir_;
};

std::string user_prompt(const std::vector<JudgeItem>& items, const std::string& id) {
  for (const JudgeItem& item : items)
    if (item.id == id) return item.messages.back()["content"];
  return "none";
}

TEST_F(MtBenchFiles, WhatTheJudgeOfOneAnswerSees) {
  const std::vector<JudgeItem> items =
      rating_items(bench(), read_mt_answers(dir_ / "answers.jsonl"), "gpt-4");
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(user_prompt(items, "81/1"), "Q ask 81 one A GOOD 81 one");
  EXPECT_EQ(user_prompt(items, "81/2"), "Q1 ask 81 one A1 GOOD 81 one Q2 ask 81 two A2 GOOD 81 two");
  EXPECT_EQ(user_prompt(items, "101/1"), "R reference 101 one Q ask 101 one A GOOD 101 one");
  EXPECT_EQ(user_prompt(items, "101/2"),
            "R1 reference 101 one R2 reference 101 two Q1 ask 101 one A1 GOOD 101 one Q2 ask 101 two A2 GOOD "
            "101 two");
  EXPECT_EQ(items[0].messages[0], (Json{{"role", "system"}, {"content", "You judge."}}));
  EXPECT_EQ(items[0].about["judge"], (OrderedJson{"gpt-4", "single-v1"}));
  EXPECT_EQ(items[3].about["judge"], (OrderedJson{"gpt-4", "single-math-v1-multi-turn"}));
  // A file has references for every question; the judge sees them only where they are due.
  EXPECT_THAT(user_prompt(items, "153/2"), Not(HasSubstr("reference")));
}

TEST_F(MtBenchFiles, TheSecondGameOfAPairIsSwapped) {
  const std::vector<JudgeItem> items = pair_items(bench(), read_mt_answers(dir_ / "answers.jsonl"),
                                                  read_mt_answers(dir_ / "other.jsonl"), "gpt-4");
  ASSERT_EQ(items.size(), 12u);
  EXPECT_EQ(user_prompt(items, "81/1/1"), "A: GOOD 81 one B: poor 81 one");
  EXPECT_EQ(user_prompt(items, "81/1/2"), "A: poor 81 one B: GOOD 81 one");
  EXPECT_EQ(user_prompt(items, "101/2/2"),
            "R1 reference 101 one R2 reference 101 two A: poor 101 one / poor 101 two B: GOOD 101 one / GOOD "
            "101 two {}");
}

TEST_F(MtBenchFiles, MalformedFilesAreNamed) {
  const auto error = [&](const std::string& text, const auto& read) {
    write_file(dir_ / "x.jsonl", text);
    return error_of([&] { read(dir_ / "x.jsonl"); });
  };
  const std::string path = dir_ / "x.jsonl";
  EXPECT_EQ(error("", read_mt_questions), path + ": no questions");
  EXPECT_EQ(error("{\"question_id\": 1, \"category\": \"a\", \"turns\": [\"x\"]}\n", read_mt_questions),
            path + ":1: field 'turns' must have 2 texts, got 1");
  const std::string line = "{\"question_id\": 1, \"category\": \"a\", \"turns\": [\"x\", \"y\"]}\n";
  EXPECT_EQ(error(line + line, read_mt_questions), path + ":2: question 1 is there twice");
  EXPECT_THAT(error("{\n", read_mt_questions), HasSubstr(path + ":1"));
  EXPECT_EQ(error("[1]\n", read_mt_answers), path + ":1: must be a JSON object, got a list");
  EXPECT_EQ(error("{\"question_id\": 1, \"model_id\": \"m\", \"choices\": []}\n", read_mt_answers),
            path + ":1: field 'choices' is empty");
  EXPECT_EQ(error("{\"question_id\": 1, \"model_id\": \"m\", \"choices\": [3]}\n", read_mt_answers),
            path + ":1: field 'choices[0]' must be an object");
  EXPECT_EQ(
      error(testing::mt_answer_lines_of("a", "x") + testing::mt_answer_lines_of("b", "x"), read_mt_answers),
      path + ":4: an answer of 'b' among those of 'a'");
  EXPECT_EQ(
      error(testing::mt_answer_lines_of("a", "x") + testing::mt_answer_lines_of("a", "x"), read_mt_answers),
      path + ":4: question 81 is answered twice");
  EXPECT_EQ(error("{\"name\": \"a\"}\n", read_judge_prompts),
            path + ":1: field 'prompt_template' is missing");
}

TEST_F(MtBenchFiles, WhatIsMissingIsNamed) {
  MtBench b = bench();
  MtAnswers answers = read_mt_answers(dir_ / "answers.jsonl");
  b.prompts.erase("single-math-v1");
  EXPECT_EQ(error_of([&] { rating_items(b, answers, "j"); }),
            "the judge's prompts: there is none named 'single-math-v1'");
  b = bench();
  b.references.turns.erase(101);
  EXPECT_EQ(error_of([&] { rating_items(b, answers, "j"); }),
            "question 101 (reasoning) needs a reference answer, and there is none");
  answers.turns.erase(153);
  EXPECT_EQ(error_of([&] { check_answered(answers, b.questions, "a.jsonl"); }),
            "a.jsonl: no answer to 1 of 3 questions, the first is 153");
}

TEST_F(MtBenchFiles, AnswersAreWrittenAsTheyAreRead) {
  const MtAnswers answers = read_mt_answers(dir_ / "answers.jsonl");
  write_file(dir_ / "again.jsonl", mt_answer_lines(answers));
  const MtAnswers again = read_mt_answers(dir_ / "again.jsonl");
  EXPECT_EQ(again.model, answers.model);
  EXPECT_EQ(again.turns, answers.turns);
}

TEST(MtBenchPublished, ReferencesAreDueFor101To130Alone) {
  SKIP_WITHOUT(published("mt_bench/question.jsonl"));
  const std::vector<MtQuestion> questions = read_mt_questions(published("mt_bench/question.jsonl"));
  ASSERT_EQ(questions.size(), 80u);
  for (const MtQuestion& q : questions) EXPECT_EQ(q.needs_reference(), q.id >= 101 && q.id <= 130) << q.id;
  const MtBench bench{questions, read_mt_answers(published("mt_bench/reference_answer/gpt-4.jsonl")),
                      read_judge_prompts(published("mt_bench/judge_prompts.jsonl"))};
  EXPECT_EQ(bench.references.turns.size(), 30u);
  MtAnswers answers{.model = "m", .turns = {}};
  for (const MtQuestion& q : questions) answers.turns[q.id] = {"{question} one", "{ref_answer_1} two"};
  const std::vector<JudgeItem> ratings = rating_items(bench, answers, "j"),
                               pairs = pair_items(bench, answers, answers, "j");
  EXPECT_EQ(ratings.size(), 160u);
  EXPECT_EQ(pairs.size(), 320u);
  for (const JudgeItem& item : ratings) {
    const std::string text = item.messages.back()["content"];
    const int64_t id = item.about.at("question_id");
    EXPECT_EQ(text.find("Reference Answer") != std::string::npos, id >= 101 && id <= 130) << item.id;
    EXPECT_THAT(text, HasSubstr("{question} one"));  // filled in, and not searched for places
  }
}

Rated rated(const std::string& text) {
  return rated_from_json(Json::parse(text), "file:1");
}
Rated rated(int64_t question, int turn, const std::string& judgment) {
  return rated(fmt::format(
      R"({{"question_id": {}, "turn": {}, "model": "m", "judge": ["gpt-4", "p"], "judgment": "{}"}})",
      question, turn, judgment));
}

TEST(MtBenchScores, AveragesByTurnCategoryAndModel) {
  const std::vector<MtQuestion> questions = {{1, "math", {}}, {2, "math", {}}, {3, "stem", {}}};
  const std::vector<RatingScores> scores = rating_scores(
      {rated(1, 1, "[[2]]"), rated(1, 2, "[[4]]"), rated(2, 1, "[[9]]"), rated(2, 2, "[[11]]"),
       rated(3, 1, "[[5]]"), rated(3, 2, "what?"), rated(1, 1, "[[3]]")},  // the last one of a turn counts
      questions);
  ASSERT_EQ(scores.size(), 1u);
  const RatingScores& s = scores[0];
  EXPECT_EQ(s.judgements, 6);
  EXPECT_EQ(s.failed, 2);
  EXPECT_EQ(s.failures, (std::map<std::string, int64_t>{{"a rating outside 1 to 10", 1}, {"no rating", 1}}));
  EXPECT_DOUBLE_EQ(s.all.value, (3 + 4 + 9 + 5) / 4.0);
  EXPECT_DOUBLE_EQ(s.turns[0].value, (3 + 9 + 5) / 3.0);
  EXPECT_DOUBLE_EQ(s.turns[1].value, 4);
  ASSERT_EQ(s.categories.size(), 2u);
  EXPECT_EQ(s.categories[0].first, "math");
  EXPECT_DOUBLE_EQ(s.categories[0].second.value, (3 + 4 + 9) / 3.0);
  ASSERT_TRUE(s.all.interval);
  EXPECT_LT(s.all.interval->low, s.all.value);
  EXPECT_GT(s.all.interval->high, s.all.value);
  EXPECT_FALSE(s.turns[1].interval);  // one question
  EXPECT_FALSE(s.categories[1].second.interval);
}

TEST(MtBenchScores, NoIntervalWithoutWidthAndTheSameOneAgain) {
  std::vector<std::vector<double>> groups(20, {10, 10});
  EXPECT_FALSE(bootstrap_mean(groups));
  groups[0] = {1, 2};
  const auto first = bootstrap_mean(groups), again = bootstrap_mean(groups),
             other = bootstrap_mean(groups, 2);
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->low, again->low);
  EXPECT_NEAR(first->low, other->low, 0.3);
  EXPECT_LE(first->high, 10);
  EXPECT_FALSE(bootstrap_mean({}));
}

TEST(MtBenchScores, NothingThatCouldBeReadIsNoScore) {
  EXPECT_EQ(error_of([] {
              rating_scores({rated(1, 1, "hm"), rated(1, 2, "[[0]]")}, {});
            }),
            "none of 2 judgements could be read: 1 x a rating outside 1 to 10, 1 x no rating");
  EXPECT_EQ(error_of([] {
              rating_scores({rated(1, 1, "[[5]]"), rated(R"({"question_id": 1, "turn": 2, "model": "m",
                                                           "judge": ["other", "p"], "judgment": "[[5]]"})")},
                            {});
            }),
            "judgements of several judges: 'gpt-4' and 'other'");
}

TEST(MtBenchScores, LinesOfFastChatAndOfTheJournal) {
  const std::string start = R"({"question_id": 1, "turn": 1, "model": "m", "judge": ["gpt-4", "p"])";
  EXPECT_EQ(*rated(start + R"(, "score": 8.5})").rating.value, 8.5);
  EXPECT_EQ(rated(start + R"(, "score": -1})").rating.failure, "no rating");
  EXPECT_EQ(rated(start + R"(, "score": 11})").rating.failure, "a rating outside 1 to 10");
  EXPECT_EQ(rated(start + R"(, "score": -1, "judgment": "$ERROR$"})").rating.failure, "no rating");
  EXPECT_EQ(rated(start + R"(, "judgment": "", "failure": "HTTP status 500"})").rating.failure,
            "HTTP status 500");
  EXPECT_EQ(error_of([&] { rated(start + "}"); }), "file:1: field 'score' is missing");
  EXPECT_EQ(
      error_of([] { rated(R"({"question_id": 1, "turn": 3, "model": "m", "judge": ["a"], "score": 1})"); }),
      "file:1: field 'turn' must be 1 or 2, got 3");
  EXPECT_EQ(
      error_of([] { rated(R"({"question_id": 1, "turn": 1, "model": "m", "judge": [], "score": 1})"); }),
      "file:1: field 'judge' is empty");
}

}  // namespace
}  // namespace fathom
