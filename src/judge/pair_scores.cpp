#include "judge/pair_scores.h"

#include "base/error.h"
#include "judge/score_text.h"

namespace fathom {
namespace {

bool readable(const PlayedPair& pair) {
  return pair.games[0].value && pair.games[1].value;
}

void count_first(PairCounts& counts, Outcome outcome, Outcome shown_first) {
  if (outcome == Outcome::tie) return;
  ++counts.games;
  counts.first_won += outcome == shown_first;
}

PairCounts counts_of(const std::vector<const PlayedPair*>& pairs) {
  PairCounts counts;
  std::map<int64_t, std::vector<double>> wins;
  for (const PlayedPair* pair : pairs) {
    const Outcome first = *pair->games[0].value, second = *pair->games[1].value;
    count_first(counts, first, Outcome::model_1);
    count_first(counts, second, Outcome::model_2);
    counts.disagreed += first != second;
    const Outcome outcome = first == second ? first : Outcome::tie;
    counts.wins += outcome == Outcome::model_1;
    counts.losses += outcome == Outcome::model_2;
    counts.ties += outcome == Outcome::tie;
    wins[pair->question].push_back(outcome == Outcome::model_1 ? 100 : outcome == Outcome::tie ? 50 : 0);
  }
  std::vector<std::vector<double>> groups;
  for (const auto& [question, of_question] : wins) groups.push_back(of_question);
  counts.interval = bootstrap_mean(groups);
  return counts;
}

double percent(int64_t part, int64_t whole) {
  return whole ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0;
}

OrderedJson counts_json(const PairCounts& c) {
  if (c.pairs() == 0) return nullptr;
  return {{"win_rate", c.win_rate()},
          {"interval", interval_json(c.interval)},
          {"wins", c.wins},
          {"ties", c.ties},
          {"losses", c.losses},
          {"disagreed", c.disagreed},
          {"games_not_tied", c.games},
          {"first_won", c.first_won}};
}

std::string line_of(const std::string& name, const PairCounts& c) {
  if (c.pairs() == 0) return "";
  return fmt::format("{:<16}{:>6}{:>6}{:>8}{:>9.2f}%  {:<18}{:>8.1f}%{:>12.1f}%\n", name, c.wins, c.ties,
                     c.losses, c.win_rate(), interval_text(c.interval, 2), percent(c.disagreed, c.pairs()),
                     percent(c.first_won, c.games));
}

}  // namespace

double PairCounts::win_rate() const {
  return 100 * (static_cast<double>(wins) + 0.5 * static_cast<double>(ties)) / static_cast<double>(pairs());
}

PairScores pair_scores(const std::vector<PlayedPair>& pairs, const std::vector<MtQuestion>& questions) {
  PairScores scores;
  std::vector<const PlayedPair*> all, turns[2];
  std::map<int64_t, std::vector<const PlayedPair*>> by_question;
  for (const PlayedPair& pair : pairs) {
    scores.model_1 = pair.model_1, scores.model_2 = pair.model_2;
    for (const JudgeVerdict<Outcome>& game : pair.games)
      if (!game.value) ++scores.failures[game.failure];
    scores.failed += !readable(pair);
    if (!readable(pair)) continue;
    all.push_back(&pair);
    turns[pair.turn - 1].push_back(&pair);
    by_question[pair.question].push_back(&pair);
  }
  check(!all.empty(), "none of {} pairs could be read: {}", pairs.size(), reasons_text(scores.failures));
  scores.all = counts_of(all);
  for (int t = 0; t < 2; ++t) scores.turns[t] = counts_of(turns[t]);
  std::vector<std::string> order;
  std::map<std::string, std::vector<const PlayedPair*>> categories;
  for (const MtQuestion& q : questions) {
    std::vector<const PlayedPair*>& of_category = categories[q.category];
    if (of_category.empty() && !by_question[q.id].empty()) order.push_back(q.category);
    of_category.insert(of_category.end(), by_question[q.id].begin(), by_question[q.id].end());
  }
  for (const std::string& category : order)
    scores.categories.emplace_back(category, counts_of(categories[category]));
  return scores;
}

std::string pair_table(const PairScores& s) {
  std::string out =
      fmt::format("{} against {}\n{:<16}{:>6}{:>6}{:>8}{:>10}  {:<18}{:>9}{:>13}\n", s.model_1, s.model_2, "",
                  "wins", "ties", "losses", "win rate", "95% interval", "disagreed", "first won");
  out += line_of("all", s.all) + line_of("turn 1", s.turns[0]) + line_of("turn 2", s.turns[1]);
  for (const auto& [category, counts] : s.categories) out += line_of("  " + category, counts);
  if (s.failed > 0)
    out += fmt::format("failed: {} pairs, left out; games: {}\n", s.failed, reasons_text(s.failures));
  return out;
}

OrderedJson pair_json(const PairScores& s) {
  OrderedJson json = {{"mode", "pairwise"},
                      {"model_1", s.model_1},
                      {"model_2", s.model_2},
                      {"all", counts_json(s.all)},
                      {"turn_1", counts_json(s.turns[0])},
                      {"turn_2", counts_json(s.turns[1])},
                      {"categories", OrderedJson::object()},
                      {"failed", s.failed},
                      {"failures", s.failures}};
  for (const auto& [category, counts] : s.categories) json["categories"][category] = counts_json(counts);
  return json;
}

}  // namespace fathom
