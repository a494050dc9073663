// Documents of one text file: .jsonl (one document a line), .parquet (one a row) or plain text (one document
// a file).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/json.h"
#include "io/lines.h"
#include "io/parquet_rows.h"

namespace fathom {

enum class TextFormat { text, jsonl, parquet };

// By the name: .txt, .jsonl and .ndjson, each also compressed, and .parquet. Nothing for any other.
std::optional<TextFormat> text_format_of(std::string_view path);

// What is wrong with the lines or rows that a reader left out.
struct BadLines {
  static constexpr size_t most_examples = 3;
  int64_t count = 0;
  std::vector<std::string> examples;  // of the first ones: "a.jsonl:3: field 'text' is missing"

  void add(std::string error);
};

// Errors name file and line, or row.
class DocumentReader {
 public:
  // `text_field` is the member of each JSON object, or the column, that holds the text; of a .parquet file no
  // other is read. With `skip_bad` a line that is not such an object, or a row without a text, is counted
  // there and left out; without it is an Error. A damaged .parquet file is an Error always.
  DocumentReader(std::string path, TextFormat format, std::string text_field = "text",
                 BadLines* skip_bad = nullptr);

  // The next document, or false at the end. Blank lines of a .jsonl file are skipped.
  bool next(std::string& document);
  // Of the document next() gave last: its line or row, counted from 1. A text file's is 1.
  int64_t line_number() const;
  bool had_byte_order_mark() const { return lines_ && lines_->had_byte_order_mark(); }
  // Where reading stands in the file, and the file's size.
  int64_t consumed() const { return lines_ ? lines_->source().consumed() : rows_->consumed(); }
  int64_t total() const { return lines_ ? lines_->source().total() : rows_->total(); }

 private:
  bool next_line(Json& row);
  bool take_text(Json& row, std::string& document);
  void leave_out(const Error& error);

  std::string path_, text_field_;
  TextFormat format_;
  BadLines* skip_bad_;
  bool done_ = false;
  std::optional<LineReader> lines_;  // one of the two
  std::optional<ParquetRows> rows_;
};

}  // namespace fathom
