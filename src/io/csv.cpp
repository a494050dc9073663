#include "io/csv.h"

#include <utility>

#include "base/error.h"
#include "io/lines.h"

namespace fathom {
namespace {

std::string content(const std::string& path) {
  std::string text;
  LineReader(path).rest(text);
  return text;
}

}  // namespace

CsvReader::CsvReader(const std::string& path, char separator) : CsvReader(content(path), path, separator) {}

CsvReader::CsvReader(std::string text, std::string name, char separator)
    : text_(std::move(text)), name_(std::move(name)), separator_(separator) {
  if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
}

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  while (at_ < text_.size() && at_line_end()) skip_line_end();
  if (at_ == text_.size()) return false;
  line_number_ = line_;
  while (true) {
    fields.push_back(field());
    if (at_line_end()) break;
    ++at_;  // the separator
  }
  skip_line_end();
  return true;
}

void CsvReader::skip_line_end() {
  if (at_ == text_.size()) return;
  const bool both = text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n';
  at_ += both ? 2 : 1;
  ++line_;
}

// What follows a closing quote is taken as it stands, up to the separator.
std::string CsvReader::field() {
  std::string out;
  if (separator_ != '\t' && at_ < text_.size() && text_[at_] == '"') quoted(out);
  while (!at_line_end() && text_[at_] != separator_) out += text_[at_++];
  return out;
}

void CsvReader::quoted(std::string& out) {
  const int64_t opened = line_;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      ++at_;
      if (at_ == text_.size() || text_[at_] != '"') return;
    }
    line_ += text_[at_] == '\n';
    out += text_[at_];
  }
  fail("{}:{}: a quote is opened here and never closed", name_, opened);
}

}  // namespace fathom
