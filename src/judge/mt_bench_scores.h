// MT-Bench's figures from judgements, whoever asked for them: averages of single grading by turn, category
// and model, as FastChat's show_result.py takes them, with intervals over questions.
#pragma once
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

struct Rated {
  std::string model, judge;
  int64_t question = 0, turn = 0;  // turn: 1 or 2
  JudgeVerdict<double> rating;
};

// A line of the journal or of FastChat's model_judgment/JUDGE_single.jsonl. The rating is read from the
// judge's words ("judgment"); a stored score counts only where they are missing. Error naming `where`.
Rated rated_from_json(const Json& json, const std::string& where);

struct MeanRating {
  int64_t count = 0;
  double value = 0;                  // of the ratings that could be read; meaningless without any
  std::optional<Interval> interval;  // 95%; questions are drawn, so that both turns of one go together
};

struct RatingScores {
  std::string model;
  MeanRating all, turns[2];
  std::vector<std::pair<std::string, MeanRating>> categories;  // in the questions' order
  int64_t judgements = 0, failed = 0;
  std::map<std::string, int64_t> failures;  // by reason
};

// By model, in the order of their names. Without questions there are no categories. Of several judgements of
// one turn the last counts. Error for several judges, and when no judgement could be read.
std::vector<RatingScores> rating_scores(const std::vector<Rated>& ratings,
                                        const std::vector<MtQuestion>& questions);

std::string rating_table(const std::vector<RatingScores>& scores);
OrderedJson rating_json(const std::vector<RatingScores>& scores);

}  // namespace fathom
