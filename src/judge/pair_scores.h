// MT-Bench's pairs: each question and turn is judged twice, with the answers in both orders. A win counts
// when both games agree; disagreement is a tie, and its share says how much the judge goes by position.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "judge/bootstrap.h"
#include "judge/mt_bench.h"
#include "judge/verdict.h"

namespace fathom {

enum class Outcome { model_1, model_2, tie };

// Both games of one question's turn, with the second one's winner swapped back.
struct PlayedPair {
  std::string model_1, model_2, judge;
  int64_t question = 0, turn = 0;
  std::array<JudgeVerdict<Outcome>, 2> games;
};

// Lines of the journal (a game each) or of FastChat's model_judgment/JUDGE_pair.jsonl (both games). Winners
// are read from the judge's words where they are there. Errors name where.
class PlayedPairs {
 public:
  void add(const Json& json, const std::string& where);
  // Error for judgements of several judges, or of several pairs of models. A game that is missing failed.
  std::vector<PlayedPair> all() const;

 private:
  std::map<std::pair<int64_t, int64_t>, PlayedPair> pairs_;  // by question and turn
};

struct PairCounts {
  int64_t wins = 0, losses = 0, ties = 0;  // of model_1; disagreements are among the ties
  int64_t disagreed = 0;
  int64_t games = 0, first_won = 0;  // games that were not tied; won by the answer that stood first
  std::optional<Interval> interval;  // of win_rate(), 95%, over questions
  int64_t pairs() const { return wins + losses + ties; }
  // In percent, a tie as half a win.
  double win_rate() const;
};

struct PairScores {
  std::string model_1, model_2;
  PairCounts all, turns[2];
  std::vector<std::pair<std::string, PairCounts>> categories;
  int64_t failed = 0;                       // pairs of which a game could not be read: left out
  std::map<std::string, int64_t> failures;  // games, by reason
};

// Error when no pair could be read.
PairScores pair_scores(const std::vector<PlayedPair>& pairs, const std::vector<MtQuestion>& questions);

std::string pair_table(const PairScores& scores);
OrderedJson pair_json(const PairScores& scores);

}  // namespace fathom
