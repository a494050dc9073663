// Judgements of pairs as they lie in files.
#include "base/error.h"
#include "judge/pair_scores.h"

namespace fathom {
namespace {

// In game 2 the answer of model_1 stands second.
JudgeVerdict<Outcome> outcome_of(const JudgeVerdict<Winner>& verdict, int64_t game) {
  if (!verdict.value) return {{}, verdict.failure};
  if (*verdict.value == Winner::tie) return {Outcome::tie, ""};
  return {(*verdict.value == Winner::first) == (game == 1) ? Outcome::model_1 : Outcome::model_2, ""};
}

// FastChat stores it swapped back.
JudgeVerdict<Outcome> stored_outcome(const std::string& winner, const std::string& where) {
  if (winner == "model_1") return {Outcome::model_1, ""};
  if (winner == "model_2") return {Outcome::model_2, ""};
  if (winner == "tie") return {Outcome::tie, ""};
  check(winner == "error", "{}: a winner must be model_1, model_2, tie or error, got '{}'", where, winner);
  return {{}, "no verdict"};
}

JudgeVerdict<Outcome> game_of(const JsonObject& row, int64_t game, const std::string& prefix) {
  const auto failure = row.optional<std::string>("failure", "");
  if (!failure.empty()) return {{}, failure};
  const std::string words = prefix + "judgment";
  if (row.has(words)) return outcome_of(read_winner(row.required<std::string>(words)), game);
  return stored_outcome(row.required<std::string>(prefix + "winner"), row.where());
}

}  // namespace

void PlayedPairs::add(const Json& json, const std::string& where) {
  const JsonObject row(json, where);
  PlayedPair pair{.model_1 = row.required<std::string>("model_1"),
                  .model_2 = row.required<std::string>("model_2"),
                  .judge = {},
                  .question = row.required<int64_t>("question_id"),
                  .turn = row.required<int64_t>("turn"),
                  .games = {{{{}, "the game is missing"}, {{}, "the game is missing"}}}};
  check(pair.turn == 1 || pair.turn == 2, "{}: field 'turn' must be 1 or 2, got {}", where, pair.turn);
  const auto judge = row.required<std::vector<std::string>>("judge");
  check(!judge.empty(), "{}: field 'judge' is empty", where);
  pair.judge = judge[0];
  PlayedPair& known = pairs_.try_emplace({pair.question, pair.turn}, pair).first->second;
  check(known.model_1 == pair.model_1 && known.model_2 == pair.model_2,
        "{}: '{}' against '{}' among '{}' against '{}'", where, pair.model_1, pair.model_2, known.model_1,
        known.model_2);
  check(known.judge == pair.judge, "{}: judgements of several judges: '{}' and '{}'", where, known.judge,
        pair.judge);
  if (!row.has("game")) {
    known.games = {game_of(row, 1, "g1_"), game_of(row, 2, "g2_")};
    return;
  }
  const auto game = row.required<int64_t>("game");
  check(game == 1 || game == 2, "{}: field 'game' must be 1 or 2, got {}", where, game);
  known.games[static_cast<size_t>(game - 1)] = game_of(row, game, "");
}

std::vector<PlayedPair> PlayedPairs::all() const {
  std::vector<PlayedPair> all;
  for (const auto& [key, pair] : pairs_) {
    check(all.empty() || (pair.model_1 == all[0].model_1 && pair.model_2 == all[0].model_2),
          "judgements of several pairs: '{}' against '{}', and '{}' against '{}'",
          all.empty() ? "" : all[0].model_1, all.empty() ? "" : all[0].model_2, pair.model_1, pair.model_2);
    all.push_back(pair);
  }
  return all;
}

}  // namespace fathom
