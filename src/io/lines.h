// Text for training: .jsonl (one document a line) and plain text (one document a file), each also as .zst,
// decompressed while it is read.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace fathom {

// Bytes of a file in order, decompressed when the name ends in .zst. A corrupt or truncated frame is an
// Error.
class TextSource {
 public:
  explicit TextSource(const std::string& path);
  ~TextSource();

  // Up to `size` bytes; 0 only at the end.
  size_t read(char* data, size_t size);
  const std::string& path() const;
  // Where reading stands in the file, and the file's size: for a progress line.
  int64_t consumed() const;
  int64_t total() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lines of a TextSource, without their "\n" or "\r\n".
class LineReader {
 public:
  explicit LineReader(const std::string& path) : source_(path) {}

  bool next(std::string& line);
  // Everything that is left, as it stands.
  void rest(std::string& text);
  // Of the line next() gave last, counted from 1.
  int64_t line_number() const { return line_number_; }
  const TextSource& source() const { return source_; }

 private:
  TextSource source_;
  std::string buffer_;
  size_t at_ = 0;  // start of the unread part of buffer_
  int64_t line_number_ = 0;
};

// Documents of one file. Errors name file and line.
class DocumentReader {
 public:
  // `text_field` is the member of each JSON object that holds the text.
  explicit DocumentReader(std::string path, std::string text_field = "text");

  // The next document, or false at the end. Blank lines of a .jsonl file are skipped.
  bool next(std::string& document);
  int64_t bytes_consumed() const { return lines_.source().consumed(); }
  int64_t bytes_total() const { return lines_.source().total(); }

 private:
  std::string path_, text_field_;
  bool jsonl_;
  bool done_ = false;
  LineReader lines_;
};

}  // namespace fathom
