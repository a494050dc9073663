#include "io/parquet_rows.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "io/mapped_file.h"
#include "io/parquet/row_reader.h"

namespace fathom {

using namespace parquet;

namespace {

std::vector<const Node*> chosen(const Schema& schema, const std::vector<std::string>& names,
                                const std::string& path) {
  std::vector<const Node*> fields;
  const auto named = [&](const std::string& name) {
    const auto found = std::ranges::find(schema.fields, name, &Node::name);
    if (found != schema.fields.end()) return &*found;
    std::vector<std::string> there;
    for (const Node& field : schema.fields) there.push_back("'" + field.name + "'");
    constexpr size_t most = 20;
    const bool more = there.size() > most;
    if (more) there.resize(most);
    fail("{}: has no column '{}'; its columns are {}{}", path, name, fmt::join(there, ", "),
         more ? ", ..." : "");
  };
  for (const std::string& name : names) fields.push_back(named(name));
  if (names.empty())
    for (const Node& field : schema.fields) fields.push_back(&field);
  return fields;
}

}  // namespace

struct ParquetRows::State {
  State(const std::string& path, const std::vector<std::string>& columns)
      : file(path),
        metadata(read_metadata(file.bytes(), path)),
        schema(make_schema(metadata.schema, path)),
        fields(chosen(schema, columns, path)) {}

  MappedFile file;
  const Metadata metadata;
  const Schema schema;
  const std::vector<const Node*> fields;
  size_t groups_opened = 0;
  std::unique_ptr<RowReader> group;
  int64_t rows_given = 0;
};

ParquetRows::ParquetRows(const std::string& path, const std::vector<std::string>& columns)
    : state_(std::make_unique<State>(path, columns)) {}

ParquetRows::~ParquetRows() = default;

bool ParquetRows::next(Json& row) {
  State& s = *state_;
  while (!s.group || s.group->at_end()) {
    s.group.reset();
    if (s.groups_opened == s.metadata.groups.size()) return false;
    s.group = std::make_unique<RowReader>(s.file, s.schema, s.fields, s.metadata.groups[s.groups_opened++]);
  }
  ++s.rows_given;
  row = s.group->next(s.rows_given);
  return true;
}

int64_t ParquetRows::row_number() const {
  return state_->rows_given;
}
std::string ParquetRows::where() const {
  return fmt::format("{}:{}", state_->file.path(), state_->rows_given);
}

int64_t ParquetRows::consumed() const {
  const int64_t rows = state_->metadata.rows;
  if (state_->rows_given == rows) return total();
  return static_cast<int64_t>(static_cast<double>(total()) * static_cast<double>(state_->rows_given) /
                              static_cast<double>(rows));
}
int64_t ParquetRows::total() const {
  return static_cast<int64_t>(state_->file.bytes().size());
}

}  // namespace fathom
