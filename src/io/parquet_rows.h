// The rows of an Apache Parquet file as JSON objects, as the rows of a .jsonl file are. The file is read as
// it goes: of every column that is asked for one page and its dictionary are in memory, and one row.
//
// Read are all types but INT96, nested as the format allows, in all its encodings but BIT_PACKED levels;
// UNCOMPRESSED, SNAPPY, GZIP and ZSTD. All else, and whatever in a file contradicts itself or does not fit
// the file's size, is an Error that names file and column.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/json.h"

namespace fathom {

class ParquetRows {
 public:
  // With `columns` only these fields of a row; without, all. Error if there is none of that name.
  explicit ParquetRows(const std::string& path, const std::vector<std::string>& columns = {});
  ~ParquetRows();

  // False at the end. Fields that are null are there as null; lists are arrays, maps arrays of objects {key,
  // value}, structs objects; values are as parquet/leaf_json.h says. Text need not be UTF-8: nobody has
  // looked.
  bool next(Json& row);
  // Of the row that next() gave last, counted from 1.
  int64_t row_number() const;
  // The same in the file: "a.parquet:3".
  std::string where() const;
  // Bytes of the file, by the share of its rows that next() gave: for a progress line.
  int64_t consumed() const;
  int64_t total() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom
