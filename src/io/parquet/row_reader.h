// Rows of one group from its columns, after Dremel (Melnik et al., "Dremel: Interactive Analysis of Web-Scale
// Datasets", section 4): levels say where a list goes on and what is null.
#pragma once
#include <memory>
#include <vector>

#include "io/json.h"
#include "io/parquet/column_reader.h"

namespace fathom::parquet {

class RowReader {
 public:
  // `fields` are of the schema. What is given must outlive it.
  RowReader(const MappedFile& file, const Schema& schema, const std::vector<const Node*>& fields,
            const RowGroup& group);

  bool at_end() const { return left_ == 0; }
  // `number` of the row is for errors.
  Json next(int64_t number);

 private:
  Json read(const Node& node, int repetition, int parent_definition);
  Json read_list(const Node& node, int repetition, int definition);
  void skip(const Node& node, int repetition, int definition);
  ColumnReader& entry(size_t leaf, int repetition);
  void charge(size_t bytes);

  const std::string& path_;
  const std::vector<const Node*>& fields_;
  std::vector<std::unique_ptr<ColumnReader>> columns_;  // by leaf; null where not asked for
  int64_t left_;                                        // rows
  int64_t number_ = 0;
  size_t entries_ = 0, bytes_ = 0;  // of the row
};

}  // namespace fathom::parquet
