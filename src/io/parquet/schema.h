// The schema as the tree of values that rows are made of: records, lists and leaves. The groups that Parquet
// puts around lists and maps are gone; levels say where they were.
#pragma once
#include <string>
#include <vector>

#include "io/parquet/metadata.h"

namespace fathom::parquet {

// A column. Each of its entries has a definition level (so many of the optional and repeated fields on the
// way to it are there) and a repetition level (at which repeated field it goes on; 0: a new row).
struct Leaf {
  std::string path;  // "answers.text"
  PhysicalType type;
  int length;             // bytes, of fixed_bytes
  Annotation annotation;  // one that fits the type
  int most_definition, most_repetition;
};

struct Node {
  enum class Kind { leaf, record, list };
  Kind kind;
  std::string name;
  int definition;          // it is null below this level
  int element_definition;  // list: it is empty below this level
  int element_repetition;  // list: what its second and later elements begin with
  size_t first_leaf, leaves;
  std::vector<Node> children;  // record: its fields; list: one, the element
};

struct Schema {
  std::vector<Node> fields;
  std::vector<Leaf> leaves;
};

// Lists of three levels and of two, maps as lists of records {key, value}, repeated fields without annotation
// as lists (the format's LogicalTypes.md, "Nested Types").
Schema make_schema(const std::vector<SchemaElement>& elements, const std::string& path);

}  // namespace fathom::parquet
