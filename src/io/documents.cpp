#include "io/documents.h"

#include <utility>

#include "base/error.h"
#include "io/json.h"

namespace fathom {

std::optional<TextFormat> text_format_of(std::string_view path) {
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
    : path_(std::move(path)),
      text_field_(std::move(text_field)),
      format_(format),
      skip_bad_(skip_bad),
      lines_(path_) {}

bool DocumentReader::next(std::string& document) {
  if (done_) return false;
  if (format_ == TextFormat::text) {
    done_ = true;
    lines_.rest(document);
    return !document.empty();
  }
  std::string line;
  while (lines_.next(line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (read_line(line, document)) return true;
  }
  done_ = true;
  return false;
}

// False when the line is left out.
bool DocumentReader::read_line(const std::string& line, std::string& document) {
  const std::string where = fmt::format("{}:{}", path_, lines_.line_number());
  try {
    const Json json = parse_json(line, where);
    document = JsonObject(json, where).required<std::string>(text_field_);
    return true;
  } catch (const Error& error) {
    if (!skip_bad_) throw;
    skip_bad_->add(error.what());
    return false;
  }
}

}  // namespace fathom
