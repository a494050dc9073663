// AlpacaEval 2.0's figures from preferences, whoever gave them: what upstream's leaderboard has a column for.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/json.h"
#include "judge/alpaca.h"
#include "judge/bootstrap.h"
#include "judge/length_control.h"

namespace fathom {

// Judgements as they are scored: upstream's annotations, or ours.
struct Annotations {
  std::string model, baseline, judge;
  std::vector<ComparedRow> rows;
  int64_t unweighted = 0;  // preferences that are the judge's word, without log-probabilities
  std::map<std::string, int64_t> failures;  // rows without a preference, by reason
};

// annotations.json of upstream: rows with instruction, output_1, output_2, generator_1 (the baseline),
// generator_2 and preference (1 to 2; 0 is a draw too; null: none). Their index is the instruction's place in
// `baseline`, or without it the row's place in the file. Errors name the row.
Annotations read_annotations(const std::string& path, const AlpacaOutputs* baseline);

// Of a finished journal. Equal outputs are draws.
Annotations annotations_of(const AlpacaJoin& join, const AlpacaOutputs& baseline, const AlpacaOutputs& model,
                           const std::string& judge, const Journal& journal);
// As the file that read_annotations() takes.
std::string annotations_text(const Annotations& annotations, const AlpacaJoin& join);

struct AlpacaScores {
  std::string model, baseline, judge;
  double win_rate = 0, standard_error = 0;  // in percent; the error is that of the mean
  std::optional<Interval> interval;         // 95%, bootstrap
  double discrete_win_rate = 0;             // each preference as a win, a loss or a draw
  int64_t wins = 0, baseline_wins = 0, draws = 0, judged = 0, failed = 0, unweighted = 0;
  double average_length = 0;  // of the model's outputs, in code points
  std::map<std::string, int64_t> failures;
  std::optional<LengthControlled> length_controlled;
};

// Without `gamed` there is no length-controlled win rate. Error when there is no preference.
AlpacaScores alpaca_scores(const Annotations& annotations, const GamedBaseline* gamed);

std::string alpaca_table(const AlpacaScores& scores);
OrderedJson alpaca_json(const AlpacaScores& scores);

}  // namespace fathom
