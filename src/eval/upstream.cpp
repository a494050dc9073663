#include "eval/upstream.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "eval/parquet_upstream.h"
#include "eval/row_matches.h"
#include "eval/row_tree.h"
#include "io/csv.h"
#include "io/lines.h"
#include "text/utf8.h"

namespace fathom {
namespace {

std::string kind_of(const std::string& path, const RowFormat& format) {
  if (!format.kind.empty()) return format.kind;
  const std::string_view name = without_compression(path);
  for (const auto& [ending, kind] : {std::pair(".jsonl", "jsonl"),
                                     {".ndjson", "jsonl"},
                                     {".json", "json"},
                                     {".csv", "csv"},
                                     {".tsv", "tsv"},
                                     {".parquet", "parquet"},
                                     {".txt", "text"},
                                     {".lst", "lines"}})
    if (name.ends_with(ending)) return kind;
  fail(
      "{}: rows are read from .jsonl, .json, .csv, .tsv, .parquet, .lst and .txt files; data.format names "
      "another's",
      path);
}

// Lines of a text in memory: "\n" or "\r\n" ends them.
class TextLines {
 public:
  explicit TextLines(const std::string& text) : text_(text) {}
  bool next(std::string& line) {
    if (at_ >= text_.size()) return false;
    const size_t end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    if (line.ends_with('\r')) line.pop_back();
    at_ = end + 1, ++number_;
    return true;
  }
  int64_t number() const { return number_; }

 private:
  const std::string& text_;
  size_t at_ = 0;
  int64_t number_ = 0;
};

// Whether a .json file is one of lines all the same, as some data sets name them: its first line is a whole
// value, and more lines follow.
bool has_a_value_a_line(const std::string& text) {
  TextLines lines(text);
  std::string first, line;
  const auto next = [&](std::string& to) {
    while (lines.next(to))
      if (to.find_first_not_of(" \t\r") != std::string::npos) return true;
    return false;
  };
  return next(first) && next(line) && Json::accept(first);
}

class RowReader {
 public:
  RowReader(const std::string& path, const RowFormat& format) : path_(path), format_(format) {}

  std::vector<UpstreamRow> read(const std::string& text) {
    const std::string kind = kind_of(path_, format_);
    if (kind == "jsonl" || (kind == "json" && has_a_value_a_line(text)))
      read_jsonl(text);
    else if (kind == "json")
      rows_of_tree(parse_json(text, path_), path_, format_, rows_);
    else if (kind == "csv" || kind == "tsv")
      read_csv(text, kind == "tsv" ? '\t' : ',');
    else if (kind == "lines")
      read_lines(text);
    else if (kind == "text")
      add({{"text", text}}, path_);
    else
      fail("{}: unknown format '{}' of rows", path_, kind);
    return finished();
  }

  // A .parquet file is not read as one text.
  std::vector<UpstreamRow> read_file() {
    std::string text;
    if (kind_of(path_, format_) != "parquet") {
      LineReader(path_).rest(text);
      return read(text);
    }
    rows_of_parquet(path_, format_, rows_);
    return finished();
  }

 private:
  std::vector<UpstreamRow> finished() {
    if (!format_.matches.field.empty()) return rows_of_matches(format_.matches, rows_);
    return std::move(rows_);
  }

  void add(Json fields, std::string where) { rows_.push_back({std::move(fields), std::move(where), ""}); }
  void add_bad(const std::string& where, std::string error) {
    rows_.push_back({Json(), where, std::move(error)});
  }

  void read_jsonl(const std::string& text) {
    TextLines lines(text);
    for (std::string line; lines.next(line);) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      const std::string where = fmt::format("{}:{}", path_, lines.number());
      try {
        rows_of_tree(parse_json(line, where), where, format_, rows_);
      } catch (const Error& error) {
        add_bad(where, error.what());
      }
    }
  }

  void read_csv(const std::string& text, char separator) {
    CsvReader reader(text, path_, separator);
    std::vector<std::string> names = format_.columns, fields;
    bool first = true;
    while (reader.next(fields)) {
      const bool has_names = names.empty() || (!format_.header.empty() && fields[0] == format_.header);
      if (std::exchange(first, false) && has_names) {
        if (names.empty()) names = fields;
        continue;
      }
      add_fields(names, fields, fmt::format("{}:{}", path_, reader.line_number()));
    }
  }

  void read_lines(const std::string& text) {
    std::vector<std::string> names = format_.columns;
    for (auto i = static_cast<int64_t>(names.size()); i < format_.lines; ++i)
      names.push_back(format_.lines == 1 ? "line" : fmt::format("line{}", i));
    TextLines lines(text);
    std::vector<std::string> fields;
    int64_t begin = 1;
    for (std::string line; lines.next(line);) {
      fields.push_back(line);
      if (static_cast<int64_t>(fields.size()) < format_.lines) continue;
      add_fields(names, fields, fmt::format("{}:{}", path_, begin));
      fields.clear(), begin = lines.number() + 1;
    }
    if (!fields.empty())
      add_bad(fmt::format("{}:{}", path_, begin),
              fmt::format("{} lines at the end, {} are a row", fields.size(), format_.lines));
  }

  void add_fields(const std::vector<std::string>& names, const std::vector<std::string>& fields,
                  const std::string& where) {
    if (names.size() != fields.size())
      return add_bad(where, fmt::format("has {} fields, not {}", fields.size(), names.size()));
    Json row = Json::object();
    for (size_t i = 0; i < names.size(); ++i) {
      if (valid_utf8_prefix(fields[i]) != fields[i].size())
        return add_bad(where, fmt::format("field '{}' is not valid UTF-8", names[i]));
      row[names[i]] = fields[i];
    }
    add(std::move(row), where);
  }

  const std::string& path_;
  const RowFormat& format_;
  std::vector<UpstreamRow> rows_;
};

}  // namespace

std::vector<UpstreamRow> parse_upstream(const std::string& text, const std::string& path,
                                        const RowFormat& format) {
  return RowReader(path, format).read(text);
}

std::vector<UpstreamRow> read_upstream(const std::string& path, const RowFormat& format) {
  return RowReader(path, format).read_file();
}

}  // namespace fathom
