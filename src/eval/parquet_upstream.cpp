#include "eval/parquet_upstream.h"

#include "base/error.h"
#include "eval/row_tree.h"
#include "io/parquet_rows.h"
#include "text/utf8.h"

namespace fathom {
namespace {

bool is_utf8(std::string_view text) {
  return valid_utf8_prefix(text) == text.size();
}

// Makes texts of bytes; false when a text is not UTF-8.
bool settle(Json& value) {
  if (value.is_binary()) {
    const auto& bytes = value.get_binary();
    std::string text(bytes.begin(), bytes.end());
    value = is_utf8(text) ? Json(std::move(text)) : Json();
  }
  if (value.is_string()) return is_utf8(value.get_ref<const std::string&>());
  if (value.is_structured())
    for (Json& part : value)
      if (!settle(part)) return false;
  return true;
}

}  // namespace

void rows_of_parquet(const std::string& path, const RowFormat& format, std::vector<UpstreamRow>& rows) {
  ParquetRows reader(path);
  for (Json row; reader.next(row);) {
    const std::string where = reader.where();
    try {
      for (auto& [name, value] : row.items())
        check(settle(value), "{}: field '{}' is not valid UTF-8", where, name);
      rows_of_tree(row, where, format, rows);
    } catch (const Error& error) {
      rows.push_back({Json(), where, error.what()});
    }
  }
}

}  // namespace fathom
