// The format's rules for lists and maps, old forms too, that no writer at hand makes any more.
#include <gtest/gtest.h>

#include "io/parquet/schema.h"
#include "support/temp_dir.h"

namespace fathom::parquet {
namespace {

using Meaning = Annotation::Meaning;
using enum Repetition;

SchemaElement group(const char* name, Repetition repetition, int64_t children,
                    Meaning meaning = Meaning::none) {
  return {name, PhysicalType::none, 0, repetition, children, {.meaning = meaning}};
}
SchemaElement number(const char* name, Repetition repetition) {
  return {name, PhysicalType::int32, 0, repetition, 0, {}};
}

// "[x]" a list, "{name: x}" a record, "i2.1" a leaf of at most definition level 2 and repetition level 1, "?"
// behind what may be null at the level before it.
std::string text_of(const Node& node, const Schema& schema, int parent_definition) {
  const std::string null = node.definition > parent_definition ? "?" : "";
  if (node.kind == Node::Kind::list)
    return "[" + text_of(node.children[0], schema, node.element_definition) + "]" + null;
  if (node.kind == Node::Kind::leaf) {
    const Leaf& leaf = schema.leaves[node.first_leaf];
    return fmt::format("i{}.{}", leaf.most_definition, leaf.most_repetition) + null;
  }
  std::string fields;
  for (const Node& child : node.children)
    fields += (fields.empty() ? "" : ", ") + child.name + ": " + text_of(child, schema, node.definition);
  return "{" + fields + "}" + null;
}

// Of a schema with these elements as its one field.
std::string shape(std::vector<SchemaElement> elements) {
  elements.insert(elements.begin(), group("schema", required, 1));
  const Schema schema = make_schema(elements, "a.parquet");
  return text_of(schema.fields[0], schema, 0);
}

TEST(ParquetSchema, ListsOfThreeLevels) {
  EXPECT_EQ(shape({group("my_list", optional, 1, Meaning::list), group("list", repeated, 1),
                   number("element", optional)}),
            "[i3.1?]?");
  EXPECT_EQ(shape({group("my_list", required, 1, Meaning::list), group("element", repeated, 1),
                   number("str", required)}),
            "[i1.1]");
  EXPECT_EQ(shape({group("outer", optional, 1, Meaning::list), group("list", repeated, 1),
                   group("element", required, 1, Meaning::list), group("list", repeated, 1),
                   number("element", required)}),
            "[[i3.2]]?");
}

TEST(ParquetSchema, ListsOfTwoLevels) {
  EXPECT_EQ(shape({group("my_list", optional, 1, Meaning::list), number("element", repeated)}), "[i2.1]?");
  EXPECT_EQ(shape({group("my_list", optional, 1, Meaning::list), group("element", repeated, 2),
                   number("str", required), number("num", optional)}),
            "[{str: i2.1, num: i3.1?}]?");
  EXPECT_EQ(shape({group("my_list", optional, 1, Meaning::list), group("array", repeated, 1, Meaning::list),
                   number("array", repeated)}),
            "[[i3.2]]?");
  for (const char* name : {"array", "my_list_tuple"})
    EXPECT_EQ(shape({group("my_list", optional, 1, Meaning::list), group(name, repeated, 1),
                     number("str", required)}),
              "[{str: i2.1}]?");
}

TEST(ParquetSchema, RepeatedFieldsWithoutAnnotation) {
  EXPECT_EQ(shape({number("num", repeated)}), "[i1.1]");
  EXPECT_EQ(shape({group("pair", repeated, 2), number("num", required), number("more", repeated)}),
            "[{num: i1.1, more: [i2.2]}]");
}

TEST(ParquetSchema, MapsAreListsOfKeyAndValue) {
  for (const Meaning meaning : {Meaning::map, Meaning::map_entry})
    EXPECT_EQ(shape({group("my_map", optional, 1, meaning), group("map", repeated, 2, Meaning::map_entry),
                     number("str", required), number("num", optional)}),
              "[{key: i2.1, value: i3.1?}]?");
}

TEST(ParquetSchema, WhatIsNoTreeIsAnError) {
  const auto error = [](std::vector<SchemaElement> elements) {
    return error_of([&] { shape(std::move(elements)); });
  };
  EXPECT_EQ(error({group("a", optional, 2), number("b", required)}),
            "a.parquet: the schema ends inside a field");
  EXPECT_EQ(error({number("a", optional), number("b", required)}),
            "a.parquet: the schema has elements that belong to no field");
  EXPECT_EQ(error({group("a", optional, 0)}), "a.parquet: field 'a' has neither a type nor fields");
  EXPECT_EQ(error({group("a", optional, 2), number("b", required), number("b", required)}),
            "a.parquet: the schema has field 'b' twice");
  EXPECT_EQ(error({{"a", PhysicalType::fixed_bytes, 0, required, 0, {}}}),
            "a.parquet: column 'a' has values of 0 bytes");
  std::vector<SchemaElement> deep(150, group("a", optional, 1));
  deep.push_back(number("b", required));
  EXPECT_EQ(error(deep), "a.parquet: the schema has fields nested deeper than 100");
}

}  // namespace
}  // namespace fathom::parquet
