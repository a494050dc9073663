#include "eval/record_file.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/file.h"

namespace fathom {

std::vector<Measured> parse_records(std::string_view text, const std::string& where,
                                    std::vector<int64_t>* ends) {
  std::vector<Measured> all;
  int64_t number = 0;
  for (size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = fmt::format("{}:{}", where, ++number);
    all.push_back(measured_from_json(parse_json(text.substr(at, end - at), line), line));
    if (ends) ends->push_back(static_cast<int64_t>(end + 1));
  }
  return all;
}

std::vector<Measured> read_records(const std::string& path, std::vector<int64_t>* ends) {
  return parse_records(read_file(path), path, ends);
}

RecordFile::RecordFile(const std::string& path, bool resume) : path_(path) {
  if (path_.empty()) return;
  const bool there = std::filesystem::exists(path_);
  check(resume || !there,
        "{}: has the records of a run already; --resume continues it, another --out is another run", path_);
  file_.emplace(path_, there ? AppendFile::Mode::extend : AppendFile::Mode::create_new);
}

std::vector<Measured> RecordFile::take_over(const std::vector<const Item*>& items,
                                            const std::vector<int64_t>& chunks) {
  if (path_.empty()) return {};
  std::vector<int64_t> ends;
  std::vector<Measured> records = read_records(path_, &ends);
  check(records.size() <= items.size(), "{}: has {} records, the task has {} items", path_, records.size(),
        items.size());
  int64_t whole = 0;
  for (const int64_t chunk : chunks) {
    if (whole + chunk > std::ssize(records)) break;
    whole += chunk;
  }
  records.resize(static_cast<size_t>(whole));
  for (size_t i = 0; i < records.size(); ++i)
    check(records[i].id == items[i]->id, "{}:{}: is the record of item {}, where that of {} was expected",
          path_, i + 1, records[i].id, items[i]->id);
  file_.reset();
  std::filesystem::resize_file(path_,
                               static_cast<uintmax_t>(whole > 0 ? ends[static_cast<size_t>(whole) - 1] : 0));
  file_.emplace(path_, AppendFile::Mode::extend);
  return records;
}

void RecordFile::append(const std::string& lines) {
  if (!file_) return;
  file_->append(lines);
  file_->sync();
}

}  // namespace fathom
