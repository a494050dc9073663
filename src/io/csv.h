// CSV and TSV as data sets are published: fields are texts and stay what they are ("None", "007"), quoted
// fields may hold separators, line ends and doubled quotes, as Python's csv module reads them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

class CsvReader {
 public:
  // A file, which may be compressed; a byte order mark is skipped. With a tab as the separator quotes are
  // characters like others.
  CsvReader(const std::string& path, char separator);
  // The same of a text; `name` stands in errors.
  CsvReader(std::string text, std::string name, char separator);

  // The next record that is not a blank line; false at the end. Error for a quote that is never closed, since
  // nobody knows then where records begin.
  bool next(std::vector<std::string>& fields);
  // Where the record that next() gave last begins, counted from 1.
  int64_t line_number() const { return line_number_; }

 private:
  bool at_line_end() const { return at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }
  void skip_line_end();
  std::string field();
  void quoted(std::string& out);

  std::string text_, name_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 1, line_number_ = 0;
};

}  // namespace fathom
