#include "judge/journal.h"

#include <filesystem>
#include <utility>

#include "base/error.h"
#include "io/lines.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::map<std::string, Json> rows_of(const std::string& path) {
  std::map<std::string, Json> rows;
  if (!fs::exists(path)) return rows;
  uint64_t torn = 0;
  {
    LineReader lines(path);
    std::string line;
    while (lines.next(line)) {
      if (!lines.whole()) torn = line.size();
      if (!lines.whole()) break;
      const std::string where = fmt::format("{}:{}", path, lines.line_number());
      Json row = parse_json(line, where);
      check(row.is_object(), "{}: a line must be a JSON object", where);
      std::string id = JsonObject(row, where).required<std::string>("id");
      rows.insert_or_assign(std::move(id), std::move(row));
    }
  }
  std::error_code error;
  if (torn > 0) fs::resize_file(path, fs::file_size(path) - torn, error);
  check(!error, "{}: cannot cut off its torn end: {}", path, error.message());
  return rows;
}

}  // namespace

Journal::Journal(const std::string& path) : rows_(rows_of(path)), file_(path, AppendFile::Mode::extend) {}

const Json* Journal::row(const std::string& id) const {
  const auto found = rows_.find(id);
  return found == rows_.end() ? nullptr : &found->second;
}

void Journal::append(const OrderedJson& row) {
  const std::string line = json_line(row);
  file_.append(line + "\n");
  Json read = Json::parse(line);  // as a later run will find it
  std::string id = read.at("id");
  rows_.insert_or_assign(std::move(id), std::move(read));
}

}  // namespace fathom
