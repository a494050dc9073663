// Documents of one text file: .jsonl (one document a line) or plain text (one document a file).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/lines.h"

namespace fathom {

enum class TextFormat { text, jsonl };

// By the name: .txt, .jsonl and .ndjson, each also compressed. Nothing for any other.
std::optional<TextFormat> text_format_of(std::string_view path);

// What is wrong with the lines that a reader left out.
struct BadLines {
  static constexpr size_t most_examples = 3;
  int64_t count = 0;
  std::vector<std::string> examples;  // of the first ones: "a.jsonl:3: field 'text' is missing"

  void add(std::string error);
};

// Errors name file and line.
class DocumentReader {
 public:
  // `text_field` is the member of each JSON object that holds the text. With `skip_bad` a line that is not
  // such an object is counted there and left out; without it is an Error.
  DocumentReader(std::string path, TextFormat format, std::string text_field = "text",
                 BadLines* skip_bad = nullptr);

  // The next document, or false at the end. Blank lines of a .jsonl file are skipped.
  bool next(std::string& document);
  const LineReader& lines() const { return lines_; }

 private:
  bool read_line(const std::string& line, std::string& document);

  std::string path_, text_field_;
  TextFormat format_;
  BadLines* skip_bad_;
  bool done_ = false;
  LineReader lines_;
};

}  // namespace fathom
