// Lines of a text file, which may be compressed.
#pragma once
#include <cstdint>
#include <string>

#include "io/text_source.h"

namespace fathom {

// Lines of a TextSource, without their "\n" or "\r\n". A byte order mark at the start is skipped; UTF-16 is
// an Error.
class LineReader {
 public:
  explicit LineReader(const std::string& path);

  bool next(std::string& line);
  // Everything that is left, as it stands.
  void rest(std::string& text);
  // Of the line next() gave last, counted from 1.
  int64_t line_number() const { return line_number_; }
  // Whether that line had its end: the last one of a file that is still written may not.
  bool whole() const { return whole_; }
  bool had_byte_order_mark() const { return had_byte_order_mark_; }
  const TextSource& source() const { return source_; }

 private:
  bool fill();

  TextSource source_;
  std::string buffer_;
  size_t at_ = 0;  // start of the unread part of buffer_
  int64_t line_number_ = 0;
  bool had_byte_order_mark_ = false, whole_ = false;
};

}  // namespace fathom
