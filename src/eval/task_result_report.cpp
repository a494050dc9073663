// A task's result as JSON and as a table.
#include <algorithm>

#include "eval/task_result.h"

namespace fathom {
namespace {

OrderedJson average_json(const Average& a) {
  OrderedJson json = {{"metric", a.metric},        {"over", a.over},
                      {"items", a.items},          {"value", a.interval.mean},
                      {"error", a.interval.error}, {"low", a.interval.low},
                      {"high", a.interval.high}};
  if (a.interval.wilson) json["interval"] = "wilson";
  return json;
}

std::string share_text(int64_t n, int64_t all) {
  return fmt::format("{} of {} ({:.1f}%)", n, all,
                     100 * static_cast<double>(n) / static_cast<double>(std::max<int64_t>(all, 1)));
}

std::vector<std::string> remarks(const TaskResult& r) {
  std::vector<std::string> all;
  const auto add = [&](int64_t n, const std::string& text) {
    if (n > 0) all.push_back(text);
  };
  if (r.samples > 0)
    all.push_back(fmt::format("answers cut by a limit: {}; empty: {}", share_text(r.cut, r.samples),
                              share_text(r.empty, r.samples)));
  for (const auto& [metric, counts] : r.counts) {
    add(counts.unanswered,
        fmt::format("{}: no answer found in {}", metric, share_text(counts.unanswered, r.samples)));
    add(counts.undecided, fmt::format("{}: {} instructions could not be decided and count as not followed",
                                      metric, counts.undecided));
    add(counts.ties, fmt::format("{}: {} items have several likeliest answers, of which the first counts",
                                 metric, counts.ties));
  }
  if (r.letter_probability >= 0)
    all.push_back(fmt::format("mean probability of the answer letters {:.3f}{}", r.letter_probability,
                              r.letter_probability < low_letter_probability
                                  ? ": the model does not know that a letter is wanted, the score says little"
                                  : ""));
  add(r.fewer_shots,
      fmt::format("{} items have fewer examples, so that they fit the context", r.fewer_shots));
  add(r.truncated, fmt::format("{} prompts lost their beginning", r.truncated));
  add(r.not_run, fmt::format("{} items do not fit the context and count as wrong", r.not_run));
  add(r.malformed, fmt::format("{} malformed rows are no items", r.malformed));
  add(r.missing_subjects, fmt::format("{} subjects have no file", r.missing_subjects));
  return all;
}

}  // namespace

OrderedJson task_result_json(const TaskResult& r) {
  OrderedJson json = {{"task", r.task},           {"version", r.version},
                      {"shots", r.shots},         {"items", r.items},
                      {"clusters", r.clusters},   {"not_run", r.not_run},
                      {"truncated", r.truncated}, {"fewer_shots", r.fewer_shots},
                      {"malformed", r.malformed}, {"missing_subjects", r.missing_subjects}};
  if (r.samples > 0) json["samples"] = r.samples, json["cut"] = r.cut, json["empty"] = r.empty;
  if (r.bytes > 0) json["tokens"] = r.tokens, json["bytes"] = r.bytes;
  if (r.letter_probability >= 0) json["letter_probability"] = r.letter_probability;
  for (const auto& [metric, counts] : r.counts) {
    json["counts"][metric] = {{"ties", counts.ties}, {"unanswered", counts.unanswered}};
    if (counts.undecided > 0) json["counts"][metric]["undecided"] = counts.undecided;
  }
  for (const Average& a : r.averages) json["averages"].push_back(average_json(a));
  return json;
}

std::string task_result_table(const TaskResult& r, bool every_subject) {
  const bool share = r.bytes == 0;
  const double scale = share ? 100 : 1;
  std::string out = fmt::format("{} (version {}, {} examples)\n", r.task, r.version, r.shots);
  for (const Average& a : r.averages) {
    if (!every_subject && a.over.starts_with("subject ")) continue;
    const MeanInterval& i = a.interval;
    out += fmt::format("  {:<16} {:>8.{}f} ±{:<7.{}f} [{:.{}f}, {:.{}f}]  {}, {} items\n", a.metric,
                       scale * i.mean, share ? 2 : 4, scale * i.error, share ? 2 : 4, scale * i.low,
                       share ? 2 : 4, scale * i.high, share ? 2 : 4, a.over, a.items);
  }
  for (const std::string& remark : remarks(r)) out += "  " + remark + "\n";
  return out;
}

}  // namespace fathom
