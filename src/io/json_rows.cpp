#include "io/json_rows.h"

#include "base/error.h"

namespace fathom {

JsonRows::JsonRows(const std::string& path, BadLines* skip_bad)
    : path_(path), skip_bad_(skip_bad), lines_(path) {
  if (text_format_of(path) == TextFormat::jsonl) return;
  check(without_compression(path).ends_with(".json"),
        "{}: rows are read from .jsonl, .ndjson and .json files, also as .gz and .zst", path);
  std::string text;
  lines_.rest(text);
  list_ = parse_json(text, path);
  check(list_->is_array(), "{}: a .json file of rows must hold a list; one row a line is a .jsonl file", path);
}

bool JsonRows::next(Json& row) {
  if (!list_) return next_line(row);
  if (next_ == list_->size()) return false;
  where_ = fmt::format("{}[{}]", path_, next_);
  row = std::move((*list_)[next_++]);
  return true;
}

bool JsonRows::next_line(Json& row) {
  std::string line;
  while (lines_.next(line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    where_ = fmt::format("{}:{}", path_, lines_.line_number());
    try {
      row = parse_json(line, where_);
      return true;
    } catch (const Error& error) {
      if (!skip_bad_) throw;
      skip_bad_->add(error.what());
    }
  }
  return false;
}

}  // namespace fathom
