// AlpacaEval's judgements as they lie in files.
#include <map>

#include "base/error.h"
#include "io/json_rows.h"
#include "judge/alpaca_scores.h"
#include "text/sent_json.h"
#include "text/utf8.h"

namespace fathom {
namespace {

// Unicode code points; the text comes out of JSON, and is valid UTF-8.
int64_t length_of(std::string_view text) {
  int64_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return length;
}

std::map<std::string, int64_t> places_of(const AlpacaOutputs& baseline) {
  std::map<std::string, int64_t> places;
  for (const AlpacaOutput& row : baseline.rows)
    places.emplace(row.instruction, static_cast<int64_t>(places.size()));
  return places;
}

void check_same(const std::string& known, const std::string& here, const std::string& what,
                const std::string& where) {
  check(known == here, "{}: {} '{}' among those of '{}'", where, what, here, known);
}

std::optional<double> preference_of(const JsonObject& row) {
  if (!row.has("preference")) return std::nullopt;
  const auto value = row.required<double>("preference");
  if (value == 0) return 1.5;
  check(value >= 1 && value <= 2, "{}: field 'preference' must be 0 or between 1 and 2, got {}", row.where(),
        value);
  return value;
}

}  // namespace

Annotations read_annotations(const std::string& path, const AlpacaOutputs* baseline) {
  Annotations all;
  const std::map<std::string, int64_t> places =
      baseline ? places_of(*baseline) : std::map<std::string, int64_t>();
  std::map<std::string, std::string> seen;
  JsonRows rows(path);
  for (Json json; rows.next(json);) {
    const JsonObject row(json, rows.where());
    const auto instruction = row.required<std::string>("instruction");
    const auto model = row.required<std::string>("generator_2"),
               base = row.required<std::string>("generator_1"),
               judge = row.optional<std::string>("annotator", "");
    if (all.rows.empty()) all.model = model, all.baseline = base, all.judge = judge;
    check_same(all.model, model, "a judgement of", rows.where());
    check_same(all.baseline, base, "a judgement against", rows.where());
    check_same(all.judge, judge, "a judgement by", rows.where());
    const auto [known, added] = seen.emplace(instruction, rows.where());
    check(added, "{}: the instruction is there twice, first in {}", rows.where(), known->second);
    const auto place = places.find(instruction);
    check(!baseline || place != places.end(), "{}: the instruction is none of the baseline's", rows.where());
    all.rows.push_back({.index = baseline ? place->second : static_cast<int64_t>(all.rows.size()),
                        .preference = preference_of(row),
                        .baseline_length = length_of(row.required<std::string>("output_1")),
                        .model_length = length_of(row.required<std::string>("output_2"))});
    if (!all.rows.back().preference) ++all.failures[row.optional<std::string>("failure", "no preference")];
    all.unweighted += !row.optional<bool>("weighted", true);
  }
  check(!all.rows.empty(), "{}: no judgements", path);
  return all;
}

Annotations annotations_of(const AlpacaJoin& join, const AlpacaOutputs& baseline, const AlpacaOutputs& model,
                           const std::string& judge, const Journal& journal) {
  Annotations all{.model = model.generator,
                  .baseline = baseline.generator,
                  .judge = judge,
                  .rows = {},
                  .unweighted = 0,
                  .failures = {}};
  for (const AlpacaPair& pair : join.pairs) {
    ComparedRow row{.index = pair.index,
                    .preference = {},
                    .baseline_length = length_of(pair.baseline->output),
                    .model_length = length_of(pair.model->output)};
    const Json* judged = journal.row(fmt::format("{}", pair.index));
    if (pair.baseline->output == pair.model->output) {
      row.preference = 1.5;
    } else if (judged && judged->contains("preference")) {
      row.preference = preference_of(JsonObject(*judged, journal.path()));
      all.unweighted += !judged->value("weighted", true);
    } else {
      ++all.failures[judged ? judged->value("failure", "no preference") : "not judged"];
    }
    all.rows.push_back(row);
  }
  return all;
}

std::string annotations_text(const Annotations& annotations, const AlpacaJoin& join) {
  std::string text = "[\n";
  for (size_t i = 0; i < join.pairs.size(); ++i) {
    const AlpacaPair& pair = join.pairs[i];
    const std::optional<double>& preference = annotations.rows[i].preference;
    text +=
        json_line(OrderedJson{{"instruction", pair.baseline->instruction},
                              {"output_1", pair.baseline->output},
                              {"generator_1", annotations.baseline},
                              {"dataset", pair.baseline->dataset},
                              {"output_2", pair.model->output},
                              {"generator_2", annotations.model},
                              {"annotator", annotations.judge},
                              {"preference", preference ? OrderedJson(*preference) : OrderedJson(nullptr)}}) +
        (i + 1 < join.pairs.size() ? ",\n" : "\n");
  }
  return text + "]\n";
}

}  // namespace fathom
