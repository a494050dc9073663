// A file of JSON lines that a run adds to as its parts come in, in any order, and goes on with after it was
// killed. Each row has a text "id"; of several rows with one id the last counts.
#pragma once
#include <map>
#include <string>

#include "io/append_file.h"
#include "io/json.h"

namespace fathom {

class Journal {
 public:
  // Reads what is there, and begins it otherwise. A last line that was not written whole is taken off again;
  // Error naming the line for any other that is no such row.
  explicit Journal(const std::string& path);

  const std::string& path() const { return file_.path(); }
  // By id.
  const std::map<std::string, Json>& rows() const { return rows_; }
  // Nothing when there is none.
  const Json* row(const std::string& id) const;
  void append(const OrderedJson& row);

 private:
  std::map<std::string, Json> rows_;
  AppendFile file_;
};

}  // namespace fathom
