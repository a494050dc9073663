#include "data/evaluation_text.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/json.h"
#include "io/lines.h"
#include "io/text_source.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using Take = std::function<void(std::string_view text, const std::string& place)>;

std::vector<std::string> files_of(const std::string& input) {
  std::error_code error;
  check(fs::exists(input, error), "{}: no such file or folder", input);
  if (!fs::is_directory(input, error)) return {input};
  std::vector<std::string> files;
  for (fs::recursive_directory_iterator it(input, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error) && !it->path().filename().string().starts_with('.'))
      files.push_back(it->path().string());
  check(!error, "{}: cannot list the folder: {}", input, error.message());
  check(!files.empty(), "{}: the folder holds no file", input);
  std::sort(files.begin(), files.end());
  return files;
}

// parse_json() bounds the depth.
void take_strings(const Json& json, const std::string& place, const Take& take) {
  if (json.is_string()) return take(json.get_ref<const std::string&>(), place);
  if (json.is_structured())
    for (const Json& part : json) take_strings(part, place, take);
}

void read_file_texts(const std::string& path, const Take& take) {
  const std::string_view name = without_compression(path);
  LineReader lines(path);
  if (name.ends_with(".jsonl") || name.ends_with(".ndjson")) {
    for (std::string line; lines.next(line);) {
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      const std::string place = fmt::format("{}:{}", path, lines.line_number());
      take_strings(parse_json(line, place), place, take);
    }
    return;
  }
  std::string text;
  lines.rest(text);
  if (name.ends_with(".json"))
    take_strings(parse_json(text, path), path, take);
  else
    take(text, path);
}

}  // namespace

void read_evaluation_texts(const std::vector<std::string>& inputs, const Take& take) {
  for (const std::string& input : inputs)
    for (const std::string& path : files_of(input)) read_file_texts(path, take);
}

}  // namespace fathom
