#include "judge/mt_bench_scores.h"

#include <tuple>

#include "base/error.h"
#include "judge/score_text.h"

namespace fathom {
namespace {

using ByQuestion = std::map<int64_t, std::vector<double>>;

MeanRating mean_of(const ByQuestion& values) {
  MeanRating mean;
  std::vector<std::vector<double>> groups;
  double sum = 0;
  for (const auto& [question, ratings] : values) {
    groups.push_back(ratings);
    for (const double r : ratings) sum += r, ++mean.count;
  }
  if (mean.count > 0) mean.value = sum / static_cast<double>(mean.count);
  mean.interval = bootstrap_mean(groups);
  return mean;
}

RatingScores scores_of(const std::vector<const Rated*>& ratings, const std::vector<MtQuestion>& questions) {
  std::map<int64_t, std::string> category_of;
  for (const MtQuestion& q : questions) category_of[q.id] = q.category;
  RatingScores scores;
  ByQuestion all, turns[2];
  std::map<std::string, ByQuestion> categories;
  for (const Rated* rated : ratings) {
    scores.model = rated->model;
    ++scores.judgements;
    if (!rated->rating.value) {
      ++scores.failed, ++scores.failures[rated->rating.failure];
      continue;
    }
    const double rating = *rated->rating.value;
    all[rated->question].push_back(rating);
    turns[rated->turn - 1][rated->question].push_back(rating);
    if (category_of.contains(rated->question))
      categories[category_of[rated->question]][rated->question].push_back(rating);
  }
  scores.all = mean_of(all);
  for (int t = 0; t < 2; ++t) scores.turns[t] = mean_of(turns[t]);
  for (const MtQuestion& q : questions)
    if (const auto found = categories.find(q.category); found != categories.end()) {
      scores.categories.emplace_back(q.category, mean_of(found->second));
      categories.erase(found);
    }
  return scores;
}

OrderedJson mean_json(const MeanRating& mean) {
  if (mean.count == 0) return nullptr;
  return {{"mean", mean.value}, {"interval", interval_json(mean.interval)}, {"judgements", mean.count}};
}

std::string mean_text(const MeanRating& mean) {
  return mean.count ? fmt::format("{:.3f}", mean.value) : "-";
}

}  // namespace

Rated rated_from_json(const Json& json, const std::string& where) {
  const JsonObject row(json, where);
  Rated rated{.model = row.required<std::string>("model"),
              .judge = {},
              .question = row.required<int64_t>("question_id"),
              .turn = row.required<int64_t>("turn"),
              .rating = {}};
  check(rated.turn == 1 || rated.turn == 2, "{}: field 'turn' must be 1 or 2, got {}", where, rated.turn);
  const auto judge = row.required<std::vector<std::string>>("judge");
  check(!judge.empty(), "{}: field 'judge' is empty", where);
  rated.judge = judge[0];
  // A judge that was never reached said nothing: its failure is the reason.
  const auto failure = row.optional<std::string>("failure", "");
  if (!failure.empty())
    rated.rating = {{}, failure};
  else
    rated.rating = row.has("judgment") ? read_rating(row.required<std::string>("judgment"))
                                       : read_rating(fmt::format("[[{}]]", row.required<double>("score")));
  return rated;
}

std::vector<RatingScores> rating_scores(const std::vector<Rated>& ratings,
                                        const std::vector<MtQuestion>& questions) {
  std::map<std::tuple<std::string, int64_t, int64_t>, const Rated*> last;
  std::map<std::string, int64_t> failures;
  for (const Rated& rated : ratings) {
    check(rated.judge == ratings[0].judge, "judgements of several judges: '{}' and '{}'", ratings[0].judge,
          rated.judge);
    last[{rated.model, rated.question, rated.turn}] = &rated;
  }
  std::map<std::string, std::vector<const Rated*>> by_model;
  bool any = false;
  for (const auto& [key, rated] : last) {
    by_model[rated->model].push_back(rated);
    any = any || rated->rating.value;
    if (!rated->rating.value) ++failures[rated->rating.failure];
  }
  check(any, "none of {} judgements could be read: {}", last.size(), reasons_text(failures));
  std::vector<RatingScores> scores;
  for (const auto& [model, of_model] : by_model) scores.push_back(scores_of(of_model, questions));
  return scores;
}

std::string rating_table(const std::vector<RatingScores>& scores) {
  std::string out = fmt::format("{:<32}{:>9}{:>9}{:>9}  {:<18}{:>11}{:>8}\n", "model", "turn 1", "turn 2",
                                "average", "95% interval", "judgements", "failed");
  for (const RatingScores& s : scores) {
    out += fmt::format("{:<32}{:>9}{:>9}{:>9}  {:<18}{:>11}{:>8}\n", s.model, mean_text(s.turns[0]),
                       mean_text(s.turns[1]), mean_text(s.all), interval_text(s.all.interval, 3),
                       s.judgements, s.failed);
    for (const auto& [category, mean] : s.categories)
      out += fmt::format("  {:<48}{:>9}  {:<18}{:>11}\n", category, mean_text(mean),
                         interval_text(mean.interval, 3), mean.count);
    if (s.failed > 0) out += fmt::format("  failed: {}\n", reasons_text(s.failures));
  }
  return out;
}

OrderedJson rating_json(const std::vector<RatingScores>& scores) {
  OrderedJson models = OrderedJson::array();
  for (const RatingScores& s : scores) {
    OrderedJson model = {{"model", s.model},
                         {"average", mean_json(s.all)},
                         {"turn_1", mean_json(s.turns[0])},
                         {"turn_2", mean_json(s.turns[1])},
                         {"categories", OrderedJson::object()},
                         {"judgements", s.judgements},
                         {"failed", s.failed},
                         {"failures", s.failures}};
    for (const auto& [category, mean] : s.categories) model["categories"][category] = mean_json(mean);
    models.push_back(std::move(model));
  }
  return {{"mode", "single"}, {"models", models}};
}

}  // namespace fathom
