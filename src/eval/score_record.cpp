#include "eval/score_record.h"

#include <cmath>
#include <fstream>
#include <numbers>
#include <unordered_set>

#include "base/error.h"

namespace fathom {
namespace {

std::vector<std::string> names_in(const JsonObject& record) {
  std::vector<std::string> names;
  if (record.has("scores"))
    for (const auto& [name, value] : record.child("scores").json().items()) names.push_back(name);
  return names;
}

// Of a document nats and bytes, as its score.
void add_document(const JsonObject& json, ScoreRecord& record) {
  const auto bytes = json.required<int64_t>("bytes");
  check(bytes > 0, "{}: field 'bytes' must be positive, got {}", json.where(), bytes);
  record.scores = {json.required<double>("nats") / std::numbers::ln2 / static_cast<double>(bytes)};
  record.weights = {static_cast<double>(bytes)};
}

void add_scores_of(const JsonObject& json, const std::vector<std::string>& metrics, ScoreRecord& record) {
  check(json.has("scores"), "{}: the record has no scores", json.where());
  const JsonObject scores = json.child("scores");
  check(scores.json().size() == metrics.size(), "{}: has {} scores, the first record {}", json.where(),
        scores.json().size(), metrics.size());
  for (const std::string& name : metrics) {
    record.scores.push_back(scores.required<double>(name));
    const double weight = json.has("weights") ? json.child("weights").optional<double>(name, 1) : 1;
    check(weight >= 0, "{}: field 'weights.{}' is negative", json.where(), name);
    record.weights.push_back(weight);
  }
}

ScoreRecord record_of(const JsonObject& json, const ScoreRecords& all) {
  ScoreRecord r;
  r.id = json.required<std::string>("id"), r.subject = json.optional<std::string>("subject", "");
  r.cluster = json.optional<std::string>("cluster", r.id);
  r.asked = json.has("asked_hash") ? json.required<std::string>("asked_hash")
                                   : json.required<std::string>("prompt_hash");
  if (json.has("gold")) r.right = json.json()["gold"].dump();
  if (json.has("keys")) r.right += json.json()["keys"].dump(-1, ' ', true, Json::error_handler_t::replace);
  r.shots = json.optional<int64_t>("shots", 0), r.truncated = json.optional<bool>("truncated", false);
  r.not_run = json.has("not_run");
  all.text ? add_document(json, r) : add_scores_of(json, all.metrics, r);
  return r;
}

}  // namespace

ScoreRecords parse_score_records(std::string_view text, const std::string& path) {
  ScoreRecords all;
  std::unordered_set<std::string> ids;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const std::string where = fmt::format("{}:{}", path, ++number);
    const size_t end = text.find('\n', at);
    check(end != text.npos, "{}: the line has no end: the run was broken off; --resume continues it", where);
    const Json line = parse_json(text.substr(at, end - at), where);
    const JsonObject json(line, where);
    if (number == 1) {
      all.text = json.has("bytes") && !json.has("scores");
      all.metrics = all.text ? std::vector<std::string>{"bits_per_byte"} : names_in(json);
    }
    all.items.push_back(record_of(json, all));
    all.items.back().begin = at, all.items.back().end = end;
    check(ids.insert(all.items.back().id).second, "{}: item {} is there twice", where, all.items.back().id);
    at = end + 1;
  }
  return all;
}

Json read_record(const std::string& path, uint64_t begin, uint64_t end) {
  std::ifstream file(path, std::ios::binary);
  std::string line(static_cast<size_t>(end - begin), '\0');
  file.seekg(static_cast<std::streamoff>(begin));
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  check(file.good(), "{}: cannot be read at byte {}", path, begin);
  return parse_json(line, fmt::format("{} at byte {}", path, begin));
}

}  // namespace fathom
