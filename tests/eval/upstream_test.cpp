// Files as upstream has them become rows: fields of tables are texts, what is no row stays in its place.
#include "eval/upstream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "support/paths.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

RowFormat columns(std::vector<std::string> names, const std::string& header = "") {
  RowFormat format;
  format.columns = std::move(names), format.header = header;
  return format;
}

TEST(Upstream, TableFieldsStayTexts) {
  const auto rows = parse_upstream(
      "\xef\xbb\xbfq,A,B\r\n\"None\",007,\r\n\"two\r\nlines, \"\"quoted\"\"\",1e3,nan\r\n\r\nlast,x,\"\"",
      "t.csv", {});
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].fields, (Json{{"q", "None"}, {"A", "007"}, {"B", ""}}));
  EXPECT_EQ(rows[1].fields, (Json{{"q", "two\r\nlines, \"quoted\""}, {"A", "1e3"}, {"B", "nan"}}));
  EXPECT_EQ(rows[1].where, "t.csv:3");
  EXPECT_EQ(rows[2].fields, (Json{{"q", "last"}, {"A", "x"}, {"B", ""}}));
  EXPECT_EQ(rows[2].where, "t.csv:6");
}

TEST(Upstream, TablesMayHaveALineOfNames) {
  const std::string with = "question,a,b\nx,1,2\n", without = "x,1,2\n";
  for (const std::string& text : {with, without}) {
    const auto rows = parse_upstream(text, "t.csv", columns({"question", "A", "B"}, "question"));
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].fields, (Json{{"question", "x"}, {"A", "1"}, {"B", "2"}}));
  }
}

TEST(Upstream, TabsSeparateWithoutQuotes) {
  const auto rows = parse_upstream("a\tb\n\"x\ty\"\n", "t.tsv", {});
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].fields, (Json{{"a", "\"x"}, {"b", "y\""}}));
}

TEST(Upstream, WhatIsNoRowStaysInItsPlace) {
  auto rows = parse_upstream("a,b\n1,2\n3\n4,5,6\n7,8\n", "t.csv", {});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_THAT(rows[1].error, HasSubstr("has 1 fields, not 2"));
  EXPECT_EQ(rows[2].where, "t.csv:4");
  EXPECT_EQ(rows[3].fields["a"], "7");

  rows = parse_upstream("a\n\xff\n", "t.csv", {});
  EXPECT_THAT(rows[0].error, HasSubstr("not valid UTF-8"));

  rows = parse_upstream("{\"a\": 1}\n\n{\"a\": \n[1]\n{\"a\": 2}\r\n", "t.jsonl", {});
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_THAT(rows[1].error, HasSubstr("t.jsonl:3"));
  EXPECT_FALSE(rows[2].error.empty());
  EXPECT_EQ(rows[3].fields["a"], 2);
  EXPECT_EQ(rows[3].where, "t.jsonl:5");

  RowFormat lines;
  lines.kind = "lines", lines.lines = 2, lines.columns = {"a", "b"};
  rows = parse_upstream("1\n2\n3\n", "t.txt", lines);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_THAT(rows[1].error, HasSubstr("1 lines at the end, 2 are a row"));
  EXPECT_EQ(rows[1].where, "t.txt:3");
}

TEST(Upstream, FilesThatCannotBeReadAreErrors) {
  const auto error_of = [](const std::string& text, const std::string& path, const RowFormat& format = {}) {
    try {
      parse_upstream(text, path, format);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(error_of("a,b\n1,\"2\n3,4\n", "t.csv"),
              HasSubstr("t.csv:2: a quote is opened here and never closed"));
  EXPECT_THAT(error_of("[1", "t.json"), HasSubstr("t.json"));
  EXPECT_THAT(error_of("{}", "t.xlsx"), HasSubstr("t.xlsx: rows are read from"));
  RowFormat each;
  each.each = {"data"};
  EXPECT_THAT(error_of("{\"date\": []}", "t.json", each), HasSubstr("field 'data' is missing"));
}

TEST(Upstream, ParquetRowsAreRowsOfJson) {
  const std::string golden = source_dir() + "/tests/io/parquet/types_v1";
  const auto rows = read_upstream(golden + ".parquet", {});
  const auto lines = read_upstream(golden + ".jsonl", {});
  ASSERT_EQ(rows.size(), lines.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].error, "");
    EXPECT_EQ(rows[i].where, golden + fmt::format(".parquet:{}", i + 1));
    for (const auto& [name, value] : lines[i].fields.items()) {
      const bool is_bytes = name == "bytes" || name == "fixed";
      EXPECT_TRUE(is_bytes || rows[i].fields[name] == value) << name << ": " << rows[i].fields[name];
    }
  }
  // Bytes that are a text are one, others are nothing.
  EXPECT_EQ(lines[2].fields["bytes"], (Json{{"hex", "616263"}}));
  EXPECT_EQ(rows[2].fields["bytes"], "abc");
  EXPECT_EQ(lines[1].fields["bytes"], (Json{{"hex", "ff00fe"}}));
  EXPECT_EQ(rows[1].fields["bytes"], nullptr);
  RowFormat format;
  format.each = {"list"};
  EXPECT_EQ(read_upstream(source_dir() + "/tests/io/parquet/duckdb.parquet", format)[0].fields["text"],
            "text 1");
}

TEST(Upstream, RowsLieDeepInAFile) {
  RowFormat format;
  format.each = {"data", "paragraphs", "qas"};
  auto rows = parse_upstream(
      R"({"data": [{"title": "T", "paragraphs": [{"context": "C", "qas": [{"id": 1}, {"id": 2, "title": "own"}, 3]}]}]})",
      "t.json", format);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].fields, (Json{{"id", 1}, {"title", "T"}, {"context", "C"}}));
  EXPECT_EQ(rows[1].fields["title"], "own");
  EXPECT_THAT(rows[2].error, HasSubstr("a row must be an object"));

  format.each = {"*", "list"};
  rows = parse_upstream(R"({"x": {"p": 1, "list": [{"q": 2}]}, "y": {"p": 3, "list": [{"q": 4}]}})", "t.json",
                        format);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].fields, (Json{{"key", "y"}, {"p", 3}, {"q", 4}}));

  format.each = {"1"};
  rows = parse_upstream(R"([[["turn"], [{"q": 1}, {"q": 2}], "id"], 5])", "t.json", format);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].fields["outer"][2], "id");
  EXPECT_FALSE(rows[2].error.empty());
}

TEST(Upstream, ListsBesideEachOtherAreRows) {
  RowFormat format;
  format.parallel = {"questions", "answers"};
  auto rows = parse_upstream(R"({"text": "T", "questions": ["a", "b"], "answers": [1, 2]})"
                             "\n"
                             R"({"questions": ["a"], "answers": []})"
                             "\n",
                             "t.jsonl", format);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].fields, (Json{{"text", "T"}, {"questions", "b"}, {"answers", 2}, {"place", 1}}));
  EXPECT_THAT(rows[2].error, HasSubstr("'answers' has 0 elements, 'questions' has 1"));
}

TEST(Upstream, AJsonFileMayHaveAValueALine) {
  for (const char* text :
       {"{\"a\": 1}\n\n{\"a\": 2}\n", "[{\"a\": 1}, {\"a\": 2}]", "[{\"a\": 1},\n{\"a\": 2}]\n"}) {
    const auto rows = parse_upstream(text, "t.json", {});
    ASSERT_EQ(rows.size(), 2u) << text;
    EXPECT_EQ(rows[1].fields["a"], 2) << text;
  }
  EXPECT_EQ(parse_upstream("{\"a\": 1}\n{\"a\":\n", "t.json", {})[1].where, "t.json:2");
  EXPECT_EQ(parse_upstream("{\"a\":\n1}\n", "t.json", {}).size(), 1u);
}

TEST(Upstream, FlatRowsAreTakenAsTheyAre) {
  RowFormat format;
  format.each = {"data"}, format.parallel = {"qs"}, format.flat = "q";
  const auto rows = parse_upstream(R"([{"q": 1, "qs": 2}, {"data": [{"qs": [3, 4]}]}])", "t.json", format);
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].fields, (Json{{"q", 1}, {"qs", 2}}));
  EXPECT_EQ(rows[2].fields["qs"], 4);
}

TEST(Upstream, MatchesOfAPatternAreRows) {
  RowFormat format;
  format.each = {"content"}, format.matches = {"text", "#[0-9]+#"};
  const auto rows = parse_upstream(R"({"c": 1, "content": ["a#1#b#2#", "none"]})"
                                   "\n"
                                   R"({"c": 2, "content": "#3#"})"
                                   "\n"
                                   R"({"c": 3, "content": [7]})",
                                   "t.jsonl", format);
  ASSERT_EQ(rows.size(), 5u);
  EXPECT_EQ(rows[1].fields["before"], "a#1#b");
  EXPECT_EQ(rows[1].fields["match"], "#2#");
  EXPECT_EQ(rows[1].fields["after"], "");
  EXPECT_EQ(rows[1].fields["c"], 1);
  EXPECT_EQ(rows[1].where, "t.jsonl:1[0]/1");
  EXPECT_THAT(rows[2].error, HasSubstr("nothing in field 'text' is like the pattern"));
  EXPECT_EQ(rows[3].fields["match"], "#3#");
  EXPECT_THAT(rows[4].error, HasSubstr("a row must be an object"));
}

}  // namespace
}  // namespace fathom::testing
