// One column of one group of rows, entry by entry. One page and the dictionary are in memory at a time; of
// the file's pages only those that are read.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "io/mapped_file.h"
#include "io/parquet/page_codec.h"
#include "io/parquet/page_header.h"
#include "io/parquet/rle_reader.h"
#include "io/parquet/values.h"

namespace fathom::parquet {

class ColumnReader {
 public:
  // Stands at the first entry. What is given must outlive it. Error for what is not read: INT96, encryption,
  // a codec.
  ColumnReader(const MappedFile& file, const Leaf& leaf, const ColumnChunk& chunk);
  ColumnReader(const ColumnReader&) = delete;

  bool at_end() const { return at_end_; }
  // Of the entry, which there must be.
  int repetition() const { return repetition_; }
  int definition() const { return definition_; }
  const Leaf& leaf() const { return leaf_; }
  const std::string& where() const { return where_; }  // "a.parquet: column 'x'"
  // Of an entry that is defined fully; once for each.
  Value value();
  // To the next entry.
  void next();

 private:
  void load_page();
  void load_dictionary(const PageHeader& header, Bytes page);
  void load_data(const PageHeader& header, Bytes page);
  void load_data_v2(const PageHeader& header, Bytes page);
  void let_go();
  int level(RleReader& levels, int most, const char* what) const;

  const MappedFile& file_;
  const Leaf& leaf_;
  const std::string where_;
  PageCodec codec_;
  uint64_t position_, end_, held_from_;  // in the file
  int64_t left_in_chunk_, left_in_page_ = 0;
  bool at_end_ = false;
  int repetition_ = 0, definition_ = 0;
  std::vector<std::byte> page_, dictionary_page_;
  std::vector<Value> dictionary_;
  bool has_dictionary_ = false;
  std::optional<RleReader> repetitions_, definitions_;  // where the column has such levels
  Encoding encoding_ = Encoding::plain;                 // of the page's values
  Bytes data_;
  std::unique_ptr<ValueReader> values_;  // made for the first value: a page of nulls may have no data
};

}  // namespace fathom::parquet
