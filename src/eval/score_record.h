// What a comparison needs of a task's records: which item it is, what was asked, how it scored. Prompts and
// outputs stay in the file, at the offset that is kept.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace fathom {

struct ScoreRecord {
  std::string id, subject;
  std::string cluster;  // its own id where it shares none
  std::string asked;    // hash of what was asked, in conversations whatever the template
  std::string right;    // what counts as right, as JSON
  int64_t shots = 0;    // examples that it was shown
  bool truncated = false, not_run = false;
  std::vector<double> scores, weights;  // of the metrics of ScoreRecords, weights as ItemScores has them
  uint64_t begin = 0, end = 0;          // of its line in the file
};

struct ScoreRecords {
  std::vector<std::string> metrics;
  bool text = false;  // documents: the one metric is bits_per_byte, its weight the document's bytes
  std::vector<ScoreRecord> items;
};

// Of a file's whole text; `path` stands in errors. Error for a line without its end (the run was broken off),
// a line that is no record or has no scores, other metrics than the first, and an item that is there twice.
ScoreRecords parse_score_records(std::string_view text, const std::string& path);

// One record whole, by a line's place.
Json read_record(const std::string& path, uint64_t begin, uint64_t end);

}  // namespace fathom
