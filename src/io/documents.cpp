#include "io/documents.h"

#include <utility>

#include "base/error.h"
#include "io/json.h"

namespace fathom {

std::optional<TextFormat> text_format_of(std::string_view path) {
  if (path.ends_with(".parquet")) return TextFormat::parquet;
  const std::string_view name = without_compression(path);
  if (name.ends_with(".txt")) return TextFormat::text;
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) return TextFormat::jsonl;
  return std::nullopt;
}

void BadLines::add(std::string error) {
  ++count;
  if (examples.size() < most_examples) examples.push_back(std::move(error));
}

DocumentReader::DocumentReader(std::string path, TextFormat format, std::string text_field,
                               BadLines* skip_bad)
    : path_(std::move(path)), text_field_(std::move(text_field)), format_(format), skip_bad_(skip_bad) {
  if (format == TextFormat::parquet)
    rows_.emplace(path_, std::vector{text_field_});
  else
    lines_.emplace(path_);
}

bool DocumentReader::next(std::string& document) {
  if (done_) return false;
  if (format_ == TextFormat::text) {
    done_ = true;
    lines_->rest(document);
    return !document.empty();
  }
  Json row;
  while (rows_ ? rows_->next(row) : next_line(row))
    if (take_text(row, document)) return true;
  done_ = true;
  return false;
}

int64_t DocumentReader::line_number() const {
  return format_ == TextFormat::text ? 1 : rows_ ? rows_->row_number() : lines_->line_number();
}

// The next line that is not blank and is JSON.
bool DocumentReader::next_line(Json& row) {
  std::string line;
  while (lines_->next(line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      row = parse_json(line, fmt::format("{}:{}", path_, lines_->line_number()));
      return true;
    } catch (const Error& error) {
      leave_out(error);
    }
  }
  return false;
}

// False when the row is left out.
bool DocumentReader::take_text(Json& row, std::string& document) {
  try {
    const std::string where = fmt::format("{}:{}", path_, line_number());
    if (rows_ && row[text_field_].is_binary()) {  // text whose writer did not call it so
      const auto& bytes = row[text_field_].get_binary();
      document.assign(bytes.begin(), bytes.end());
      return true;
    }
    JsonObject(row, where).required<std::string>(text_field_);
    document = std::move(row[text_field_].get_ref<std::string&>());
    return true;
  } catch (const Error& error) {
    leave_out(error);
    return false;
  }
}

// To be called where the error has been caught.
void DocumentReader::leave_out(const Error& error) {
  if (!skip_bad_) throw;
  skip_bad_->add(error.what());
}

}  // namespace fathom
