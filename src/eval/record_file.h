// The records of a task's run: a line of JSON for each item, in the order of the items. They are written a
// chunk of items at a time, and a run that is continued takes whole chunks over, so that the chunks, and with
// them every number, are those of a run that was never broken off.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/measured.h"
#include "io/append_file.h"

namespace fathom {

class RecordFile {
 public:
  // Error when there are records already, unless they are to be continued. With an empty path nothing is
  // kept.
  RecordFile(const std::string& path, bool resume);

  // What is there, of these items in this order: the items of whole chunks, the rest is cut off. `chunks` has
  // the number of items in each. Error when a record is another item's.
  std::vector<Measured> take_over(const std::vector<const Item*>& items, const std::vector<int64_t>& chunks);
  // Of a whole chunk. It is on the disk when this returns.
  void append(const std::string& lines);

 private:
  std::string path_;
  std::optional<AppendFile> file_;
};

// All records of a file, whose last line may be torn. `ends` gets the place behind each.
std::vector<Measured> read_records(const std::string& path, std::vector<int64_t>* ends = nullptr);
// Of its text; `where` stands in errors.
std::vector<Measured> parse_records(std::string_view text, const std::string& where,
                                    std::vector<int64_t>* ends = nullptr);

}  // namespace fathom
