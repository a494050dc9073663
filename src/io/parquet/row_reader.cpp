#include "io/parquet/row_reader.h"

#include "io/parquet/leaf_json.h"

namespace fathom::parquet {
namespace {

// A row is in memory as a whole. A few bytes of a file can stand for any number of nulls, or for one text
// again and again.
constexpr size_t most_entries = size_t{1} << 24, most_bytes = size_t{1} << 30;

}  // namespace

RowReader::RowReader(const MappedFile& file, const Schema& schema, const std::vector<const Node*>& fields,
                     const RowGroup& group)
    : path_(file.path()), fields_(fields), columns_(schema.leaves.size()), left_(group.rows) {
  check(group.columns.size() == schema.leaves.size(), "{}: a row group has {} columns, the schema {}", path_,
        group.columns.size(), schema.leaves.size());
  for (const Node* field : fields)
    for (size_t i = field->first_leaf; i < field->first_leaf + field->leaves; ++i)
      columns_[i] = std::make_unique<ColumnReader>(file, schema.leaves[i], group.columns[i]);
}

Json RowReader::next(int64_t number) {
  number_ = number, entries_ = 0, bytes_ = 0;
  Json row = Json::object();
  for (const Node* field : fields_) row[field->name] = read(*field, 0, 0);
  if (--left_ > 0) return row;
  for (const auto& column : columns_)
    if (column) check(column->at_end(), "{}: has more values than its row group has rows", column->where());
  return row;
}

// The first of the node's columns says what is there; the others must agree.
Json RowReader::read(const Node& node, int repetition, int parent_definition) {
  ColumnReader& first = entry(node.first_leaf, repetition);
  const int definition = first.definition();
  check(definition >= parent_definition, "{}:{}: is null where another column of its record is not",
        first.where(), number_);
  if (definition < node.definition) {
    skip(node, repetition, definition);
    return nullptr;
  }
  switch (node.kind) {
    case Node::Kind::list:
      return read_list(node, repetition, definition);
    case Node::Kind::record: {
      Json record = Json::object();
      for (const Node& child : node.children) record[child.name] = read(child, repetition, node.definition);
      return record;
    }
    case Node::Kind::leaf:
      break;
  }
  const Value value = first.value();
  const bool is_bytes = first.leaf().type == PhysicalType::byte_array;
  charge(is_bytes ? value.bytes.size() : static_cast<size_t>(first.leaf().length));
  Json json = leaf_json(value, first.leaf());
  first.next();
  return json;
}

Json RowReader::read_list(const Node& node, int repetition, int definition) {
  Json list = Json::array();
  if (definition < node.element_definition) {
    skip(node, repetition, definition);
    return list;
  }
  const ColumnReader& first = *columns_[node.first_leaf];
  do {
    list.push_back(read(node.children[0], repetition, node.element_definition));
    repetition = node.element_repetition;
  } while (!first.at_end() && first.repetition() == repetition);
  return list;
}

// A null or an empty list is one entry in each of its columns.
void RowReader::skip(const Node& node, int repetition, int definition) {
  for (size_t i = node.first_leaf; i < node.first_leaf + node.leaves; ++i) {
    ColumnReader& column = entry(i, repetition);
    check(column.definition() == definition, "{}:{}: has a value where another column of its record has none",
          column.where(), number_);
    column.next();
  }
}

ColumnReader& RowReader::entry(size_t leaf, int repetition) {
  ColumnReader& column = *columns_[leaf];
  check(!column.at_end(), "{}: ends before row {}", column.where(), number_);
  check(
      column.repetition() == repetition,
      "{}:{}: a repetition level of {} where {} is due: its lists are of other lengths than those beside it",
      column.where(), number_, column.repetition(), repetition);
  charge(0);
  return column;
}

void RowReader::charge(size_t bytes) {
  bytes_ += bytes;
  check(++entries_ <= most_entries && bytes_ <= most_bytes, "{}:{}: a row of more than {} values or {} bytes",
        path_, number_, most_entries, most_bytes);
}

}  // namespace fathom::parquet
