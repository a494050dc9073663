// Rows of a data set in the form it is published in: .jsonl, .json, .csv, .tsv, .parquet, lines. Every row is
// an object of fields; those of .csv and .tsv are texts.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace fathom {

struct RowFormat {
  // jsonl, json (one value, or one a line), csv, tsv, parquet, lines or text (a file is one row, its field
  // `text`); empty: by the file's name
  std::string kind;
  // Names of the fields of .csv, .tsv and lines. Without them the first line of a .csv has them.
  std::vector<std::string> columns;
  // With columns: the file may have a line of names too; it has when its first field is this.
  std::string header;
  int64_t lines = 1;  // of a row, for lines
  // The way to the rows of a .json file or inside each line of a .jsonl: fields of objects and places in
  // lists, each holding a list, or an object of rows; "*" stands for all of what is there. The fields of the
  // objects on the way are those of the row too, unless it has its own; of a list on the way they are in the
  // field `outer`. A text at the end of the way is a row, its field `text`.
  std::vector<std::string> each;
  std::vector<std::string> parallel;  // fields that are lists of the same length: a row for each place
  // A value with this field is a row as it is: neither the way nor the lists are followed.
  std::string flat;
  // A row for each place where the pattern matches in a text of the row: what stands before it, the match and
  // what stands behind it are the fields `before`, `match` and `after`.
  struct Matches {
    std::string field, pattern;
  } matches;
};

struct UpstreamRow {
  Json fields;
  std::string where;  // "test.csv:7", "dev.json[3]"
  std::string error;  // why it is no row, where it is none: it stays in its place, and is counted
};

struct UpstreamFile {
  std::string path, hash;
};

// Error when the file cannot be read as a whole: no file, another format.
std::vector<UpstreamRow> read_upstream(const std::string& path, const RowFormat& format);
// The same of a text, for tests and fuzzing; not of a .parquet file.
std::vector<UpstreamRow> parse_upstream(const std::string& text, const std::string& path,
                                        const RowFormat& format);

// Of one file, or of several as one: by their names and contents.
UpstreamFile hashed_files(const std::vector<std::string>& paths);

// The files below the folder that the first fitting pattern names: one, or, where `several` may fit or they
// are the parts of one (eval/shards.h), all of them in the order of their names. "*" in a pattern stands for
// anything in one name. What an archive was unpacked to may have a folder of its own around it: "bbh/a.json"
// is also "bbh/ANY/a.json". Error when a pattern fits more than it may, or not all parts.
std::vector<std::string> find_upstream(const std::string& folder, const std::vector<std::string>& patterns,
                                       const std::string& subject, bool several = false);

}  // namespace fathom
