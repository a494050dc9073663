#include "judge/pair_scores.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace fathom {
namespace {

const std::string both = R"("model_1": "ours", "model_2": "theirs", "judge": ["gpt-4", "pair-v2"])";

std::string game(int question, int turn, int number, const std::string& words) {
  return fmt::format(R"({{"question_id": {}, "turn": {}, "game": {}, "judgment": "{}", {}}})", question, turn,
                     number, words, both);
}

PairScores scores_of(const std::vector<std::string>& lines, const std::vector<MtQuestion>& questions = {}) {
  PlayedPairs pairs;
  for (const std::string& line : lines) pairs.add(Json::parse(line), "file:1");
  return pair_scores(pairs.all(), questions);
}

TEST(PairScores, TheSecondGameIsSwappedBackAndDisagreementIsATie) {
  const PairScores s = scores_of({game(1, 1, 1, "[[A]]"), game(1, 1, 2, "[[B]]"),   // a win
                                  game(1, 2, 2, "[[A]]"), game(1, 2, 1, "[[B]]"),   // a loss, in any order
                                  game(2, 1, 1, "[[A]]"), game(2, 1, 2, "[[A]]"),   // by position
                                  game(2, 2, 1, "[[C]]"), game(2, 2, 2, "[[C]]"),   // a tie
                                  game(3, 1, 1, "[[C]]"), game(3, 1, 2, "[[B]]")},  // disagreement too
                                 {{1, "math", {}}, {2, "stem", {}}, {3, "stem", {}}});
  EXPECT_EQ(s.all.wins, 1);
  EXPECT_EQ(s.all.losses, 1);
  EXPECT_EQ(s.all.ties, 3);
  EXPECT_EQ(s.all.disagreed, 2);
  EXPECT_EQ(s.all.games, 7);
  EXPECT_EQ(s.all.first_won, 4);  // both of question 2, and one in each of question 1's turns
  EXPECT_DOUBLE_EQ(s.all.win_rate(), 50);
  EXPECT_EQ(s.turns[0].pairs(), 3);
  ASSERT_EQ(s.categories.size(), 2u);
  EXPECT_EQ(s.categories[1].second.ties, 3);
  EXPECT_EQ(s.failed, 0);
}

// A judge that always says A: everything is a tie, and it can be seen why.
TEST(PairScores, AJudgeThatGoesByPosition) {
  std::vector<std::string> lines;
  for (int q = 1; q <= 5; ++q)
    for (int n = 1; n <= 2; ++n) lines.push_back(game(q, 1, n, "[[A]]"));
  const PairScores s = scores_of(lines);
  EXPECT_EQ(s.all.ties, 5);
  EXPECT_EQ(s.all.disagreed, 5);
  EXPECT_EQ(s.all.first_won, 10);
  EXPECT_DOUBLE_EQ(s.all.win_rate(), 50);
  EXPECT_FALSE(s.all.interval);
}

TEST(PairScores, FailuresAreLeftOutAndCounted) {
  const PairScores s = scores_of({game(1, 1, 1, "[[A]]"), game(1, 1, 2, "[[B]]"), game(2, 1, 1, "[[A]]"),
                                  game(2, 1, 2, "[[A]] or [[B]]"), game(3, 1, 1, "[[A]]")});
  EXPECT_EQ(s.all.pairs(), 1);
  EXPECT_EQ(s.failed, 2);
  EXPECT_EQ(s.failures,
            (std::map<std::string, int64_t>{{"several verdicts", 1}, {"the game is missing", 1}}));
  EXPECT_EQ(error_of([] { scores_of({game(1, 1, 1, "no")}); }),
            "none of 1 pairs could be read: 1 x no verdict, 1 x the game is missing");
}

TEST(PairScores, LinesOfFastChat) {
  const auto line = [](int q, const std::string& more) {
    return fmt::format(R"({{"question_id": {}, "turn": 1, {}, {}}})", q, both, more);
  };
  const PairScores s = scores_of(
      {line(1, R"("g1_winner": "model_1", "g2_winner": "model_1")"),
       line(2, R"("g1_winner": "tie", "g2_winner": "model_2")"),
       line(3, R"("g1_winner": "error", "g2_winner": "error")"),
       line(
           4,
           R"("g1_winner": "model_2", "g1_judgment": "[[B]]", "g2_winner": "model_2", "g2_judgment": "[[A]]")")});
  EXPECT_EQ(s.all.wins, 1);
  EXPECT_EQ(s.all.losses, 1);
  EXPECT_EQ(s.all.ties, 1);
  EXPECT_EQ(s.failed, 1);
  EXPECT_EQ(error_of([&] { scores_of({line(1, R"("g1_winner": "me", "g2_winner": "tie")")}); }),
            "file:1: a winner must be model_1, model_2, tie or error, got 'me'");
}

TEST(PairScores, OnePairOfModelsAndOneJudge) {
  EXPECT_EQ(
      error_of([] {
        scores_of({game(1, 1, 1, "[[A]]"), R"({"question_id": 2, "turn": 1, "game": 1, "judgment": "[[A]]",
                        "model_1": "ours", "model_2": "others", "judge": ["gpt-4", "p"]})"});
      }),
      "judgements of several pairs: 'ours' against 'theirs', and 'ours' against 'others'");
  EXPECT_EQ(error_of([] { scores_of({game(1, 1, 3, "[[A]]")}); }),
            "file:1: field 'game' must be 1 or 2, got 3");
}

}  // namespace
}  // namespace fathom
