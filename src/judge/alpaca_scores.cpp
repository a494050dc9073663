#include "judge/alpaca_scores.h"

#include "base/error.h"
#include "judge/score_text.h"
#include "judge/spread.h"

namespace fathom {
namespace {

double percent(double part, int64_t whole) {
  return 100 * part / static_cast<double>(whole);
}

// A baseline against itself wins half by construction.
std::optional<LengthControlled> length_controlled(const Annotations& annotations,
                                                  const GamedBaseline* gamed) {
  if (!gamed) return std::nullopt;
  if (annotations.model == annotations.baseline) return LengthControlled{.win_rate = 50};
  return control_length(annotations.rows, *gamed);
}

}  // namespace

AlpacaScores alpaca_scores(const Annotations& annotations, const GamedBaseline* gamed) {
  AlpacaScores scores;
  scores.model = annotations.model, scores.baseline = annotations.baseline, scores.judge = annotations.judge;
  std::vector<double> wins;
  std::vector<std::vector<double>> groups;
  for (const ComparedRow& row : annotations.rows) {
    scores.average_length +=
        static_cast<double>(row.model_length) / static_cast<double>(annotations.rows.size());
    if (!row.preference) continue;
    const double p = *row.preference;
    wins.push_back(100 * (p - 1));
    groups.push_back({wins.back()});
    scores.wins += p > 1.5, scores.baseline_wins += p < 1.5, scores.draws += p == 1.5;
  }
  scores.judged = static_cast<int64_t>(wins.size());
  scores.failed = static_cast<int64_t>(annotations.rows.size()) - scores.judged;
  scores.failures = annotations.failures;
  scores.unweighted = annotations.unweighted;
  check(scores.judged > 0, "none of {} judgements could be read: {}", annotations.rows.size(),
        reasons_text(scores.failures));
  const Spread spread = spread_of(wins);
  scores.win_rate = spread.mean, scores.standard_error = spread.error_of_mean;
  scores.interval = bootstrap_mean(groups);
  scores.discrete_win_rate =
      percent(static_cast<double>(scores.wins) + 0.5 * static_cast<double>(scores.draws), scores.judged);
  scores.length_controlled = length_controlled(annotations, gamed);
  return scores;
}

std::string alpaca_table(const AlpacaScores& s) {
  std::string out = fmt::format("{} against {}\n", s.model, s.baseline);
  const auto line = [&out](const std::string& name, const std::string& value) {
    out += fmt::format("{:<28}{}\n", name, value);
  };
  line("length-controlled win rate",
       s.length_controlled
           ? fmt::format("{:.2f}%, standard error {:.2f}, 95% {}", s.length_controlled->win_rate,
                         s.length_controlled->standard_error, interval_text(s.length_controlled->interval, 2))
           : "-");
  line("win rate", fmt::format("{:.2f}%, standard error {:.2f}, 95% {}", s.win_rate, s.standard_error,
                               interval_text(s.interval, 2)));
  line("discrete win rate", fmt::format("{:.2f}%: {} wins, {} losses, {} draws", s.discrete_win_rate, s.wins,
                                        s.baseline_wins, s.draws));
  line("average length", fmt::format("{:.0f} characters", s.average_length));
  line("judged", fmt::format("{}, {} failed{}", s.judged, s.failed,
                             s.failed ? " (" + reasons_text(s.failures) + ")" : std::string()));
  if (s.unweighted > 0)
    line("without log-probabilities",
         fmt::format("{} preferences are 1 or 0: this is not AlpacaEval 2.0's weighted judge", s.unweighted));
  return out;
}

OrderedJson alpaca_json(const AlpacaScores& s) {
  OrderedJson json = {{"model", s.model},
                      {"baseline", s.baseline},
                      {"judge", s.judge},
                      {"length_controlled_winrate", nullptr},
                      {"lc_standard_error", nullptr},
                      {"win_rate", s.win_rate},
                      {"standard_error", s.standard_error},
                      {"interval", interval_json(s.interval)},
                      {"discrete_win_rate", s.discrete_win_rate},
                      {"n_wins", s.wins},
                      {"n_wins_base", s.baseline_wins},
                      {"n_draws", s.draws},
                      {"n_total", s.judged},
                      {"avg_length", s.average_length},
                      {"failed", s.failed},
                      {"failures", s.failures},
                      {"unweighted", s.unweighted}};
  if (!s.length_controlled) return json;
  const LengthControlled& lc = *s.length_controlled;
  json["length_controlled_winrate"] = lc.win_rate;
  json["lc_standard_error"] = lc.standard_error;
  json["lc_interval"] = interval_json(lc.interval);
  json["length_control"] = {{"length", lc.weights[0]},
                            {"difficulty", lc.weights[1]},
                            {"model", lc.weights[2]},
                            {"inverse_penalty", lc.strength}};
  return json;
}

}  // namespace fathom
