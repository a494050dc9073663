// The rows of a data file, one JSON object each: the lines of a .jsonl or .ndjson file, or the elements of a
// .json file's list; also compressed.
#pragma once
#include <optional>
#include <string>

#include "io/documents.h"
#include "io/json.h"

namespace fathom {

class JsonRows {
 public:
  // Error for a name that is none of these. A line that is no JSON is an Error, or with `skip_bad` counted
  // there and left out.
  explicit JsonRows(const std::string& path, BadLines* skip_bad = nullptr);

  // Blank lines are skipped. False at the end.
  bool next(Json& row);
  // Of the row that next() gave last: "a.jsonl:3" by line, "a.json[2]" by element.
  const std::string& where() const { return where_; }
  const TextSource& source() const { return lines_.source(); }

 private:
  bool next_line(Json& row);

  std::string path_, where_;
  BadLines* skip_bad_;
  LineReader lines_;
  std::optional<Json> list_;  // of a .json file
  size_t next_ = 0;
};

}  // namespace fathom
