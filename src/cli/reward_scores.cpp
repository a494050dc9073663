#include "cli/reward_scores.h"

#include "io/json_rows.h"
#include "align/preference_report.h"
#include "align/preference_row.h"
#include "align/reward_model.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "cli/standard_streams.h"
#include "io/file.h"

namespace fathom {
namespace {

constexpr size_t rows_at_once = 64;

bool is_preference(const Json& row) {
  return row.contains("chosen") || row.contains("chosen_messages") ||
         (row.contains("prompt") && row["prompt"].is_object());
}

// The rows of a file, some at a time, with their texts; what cannot be scored is left out and counted.
class Scorer {
 public:
  Scorer(RewardModel& model, const std::string& path) : model_(model), path_(path), rows_(path) {}

  // Calls `take` for each row, with its scores: of a conversation one, of a preference two for each pair.
  template <class Take>
  void run(const Take& take) {
    Progress progress("score", rows_.source().total(), "bytes");
    for (bool more = true; more; progress.update(rows_.source().consumed())) {
      check(!interrupted(), "interrupted; nothing was written");
      std::vector<Json> batch;
      std::vector<std::vector<int32_t>> texts;
      std::vector<size_t> ends;
      Json row;
      while (batch.size() < rows_at_once && (more = rows_.next(row))) {
        if (!encode(row, texts)) continue;
        batch.push_back(std::move(row));
        ends.push_back(texts.size());
      }
      const std::vector<double> scores = model_.scores(texts);
      for (size_t i = 0, first = 0; i < batch.size(); first = ends[i++])
        take(batch[i], std::span(scores).subspan(first, ends[i] - first));
    }
    if (left_out_.count > 0)
      log::warn("{}: {} rows cannot be scored and are left out, such as {}", path_, left_out_.count,
                left_out_.examples.front());
  }

 private:
  bool encode(const Json& row, std::vector<std::vector<int32_t>>& texts) {
    std::vector<std::vector<int32_t>> own;
    try {
      if (is_preference(row))
        for (const PreferenceRow& pair : preference_rows(row, rows_.where()))
          for (const ChatRow* side : {&pair.chosen, &pair.rejected}) own.push_back(model_.encode(*side));
      else
        own.push_back(model_.encode(chat_row(row, rows_.where())));
    } catch (const Error& error) {
      return left_out_.add(error.what()), false;
    }
    for (auto& text : own) texts.push_back(std::move(text));
    return true;
  }

  RewardModel& model_;
  const std::string path_;
  JsonRows rows_;
  BadLines left_out_;
};

void write_scores(RewardModel& model, const RewardScoring& s) {
  std::string lines;
  Scorer(model, s.score).run([&](Json& row, std::span<const double> scores) {
    const bool pair = is_preference(row);
    for (size_t i = 0; pair && i + 1 < scores.size(); i += 2) {
      Json one = row;
      one["chosen_score"] = scores[i], one["rejected_score"] = scores[i + 1];
      lines += one.dump() + "\n";
    }
    if (pair) return;
    row["score"] = scores[0];
    lines += row.dump() + "\n";
  });
  write_file(s.out, lines);
}

void evaluate(RewardModel& model, const RewardScoring& s) {
  std::vector<ScoredPreference> scored;
  Scorer(model, s.evaluate).run([&](const Json& row, std::span<const double> scores) {
    check(is_preference(row), "{}: a row that is no preference", s.evaluate);
    for (size_t i = 0; i + 1 < scores.size(); i += 2)
      scored.push_back({scores[i], scores[i + 1], row.value("tie", false)});
  });
  check(!scored.empty(), "{}: no preference can be scored", s.evaluate);
  const PreferenceReport report = preference_report(scored);
  print_output("{}", text_of(report));
  if (!s.json.empty()) write_file(s.json, json_of(report).dump(2) + "\n");
}

}  // namespace

void score_files(const RewardScoring& s) {
  check(s.score.empty() || s.evaluate.empty(), "give one of --score and --evaluate");
  check(!s.model.empty(), "--score and --evaluate need --model");
  check(s.score.empty() || !s.out.empty(), "--score needs --out");
  catch_interrupts();
  Device device = Device::named(s.device, s.threads);
  RewardModel model(device, s.model, s.adapter);
  if (!s.score.empty()) return write_scores(model, s);
  evaluate(model, s);
}

}  // namespace fathom
