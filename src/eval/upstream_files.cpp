// Where the files of a data set lie.
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "eval/shards.h"
#include "eval/upstream.h"
#include "io/content_hash.h"
#include "io/file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string with_subject(std::string pattern, const std::string& subject) {
  constexpr std::string_view mark = "{subject}";
  for (size_t at; (at = pattern.find(mark)) != std::string::npos;) pattern.replace(at, mark.size(), subject);
  return pattern;
}

// Files below `folder` whose path is like the parts of a pattern.
void add_matches(const fs::path& folder, std::span<const std::string> parts,
                 std::vector<std::string>& found) {
  const std::string& part = parts[0];
  const bool last = parts.size() == 1;
  const auto visit = [&](const fs::path& path) {
    if (last && fs::is_regular_file(path)) found.push_back(path);
    if (!last && fs::is_directory(path)) add_matches(path, parts.subspan(1), found);
  };
  if (part.find_first_of("*?[") == std::string::npos) return visit(folder / part);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (fnmatch(part.c_str(), entry.path().filename().c_str(), FNM_PERIOD) == 0) visit(entry.path());
}

std::vector<std::string> matches(const std::string& folder, const std::vector<std::string>& parts) {
  std::vector<std::string> found;
  add_matches(folder, parts, found);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> parts_of(const std::string& pattern) {
  std::vector<std::string> parts;
  for (const fs::path& part : fs::path(pattern)) parts.push_back(part);
  return parts;
}

}  // namespace

std::vector<std::string> find_upstream(const std::string& folder, const std::vector<std::string>& patterns,
                                       const std::string& subject, bool several) {
  for (const std::string& pattern : patterns) {
    std::vector<std::string> parts = parts_of(with_subject(pattern, subject));
    std::vector<std::string> found = matches(folder, parts);
    if (found.empty() && parts.size() > 1) {
      parts.insert(parts.begin() + 1, "*");
      found = matches(folder, parts);
      const auto around = [&](const std::string& path) {
        return fs::relative(path, fs::path(folder) / parts[0]).begin()->string();
      };
      for (const std::string& path : found)
        check(around(path) == around(found[0]), "{}: several files fit {}: {}, {}", folder, pattern, found[0],
              path);
    }
    check(are_shards(found) || several || found.size() <= 1, "{}: several files fit {}: {}", folder, pattern,
          fmt::join(found, ", "));
    if (!found.empty()) return found;
  }
  return {};
}

UpstreamFile hashed_files(const std::vector<std::string>& paths) {
  if (paths.size() == 1) return {paths[0], hash_value(read_file(paths[0])).text()};
  ContentHash hash;
  for (const std::string& path : paths) {
    hash.add(fs::path(path).filename().string());
    hash.add(hash_value(read_file(path)).text());
  }
  const fs::path first(paths[0]);
  return {fmt::format("{}/*{} ({} files)", first.parent_path().string(), first.extension().string(),
                      paths.size()),
          hash.digest()};
}

}  // namespace fathom
