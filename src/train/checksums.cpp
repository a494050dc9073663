#include "train/checksums.h"

#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "io/content_hash.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

void verify_file(const std::string& path, const Json& expected, int threads) {
  const SafetensorsFile file(path);
  const std::vector<SafetensorsEntry>& tensors = file.tensors();
  const JsonObject fields(expected, path + ": checksums");
  std::vector<std::string> hashes(tensors.size());
  parallel_tasks(threads, static_cast<int64_t>(tensors.size()),
                 [&](int, int64_t i) { hashes[i] = content_hash(tensors[i].bytes); });
  for (size_t i = 0; i < tensors.size(); ++i) {
    check(expected.contains(tensors[i].name), "{}: tensor '{}' has no checksum", path, tensors[i].name);
    const auto want = fields.required<std::string>(tensors[i].name);
    check(want == hashes[i], "{}: tensor '{}' is damaged: its checksum is {}, but {} was written", path,
          tensors[i].name, hashes[i], want);
  }
  check(tensors.size() == expected.size(), "{}: holds {} tensors, but {} were written", path, tensors.size(),
        expected.size());
}

}  // namespace

void write_checksums(const std::string& dir, const FileChecksums& checksums) {
  write_file(file_in(dir, checksums_file), Json(checksums).dump(1) + "\n");
}

void verify_checksums(const std::string& dir, int threads) {
  const std::string path = file_in(dir, checksums_file);
  if (!fs::exists(path)) {
    log::warn("{}: no {}, made by an earlier release: its tensors are not verified", dir, checksums_file);
    return;
  }
  const Json json = read_json(path);
  check(json.is_object(), "{}: must be an object with the files", path);
  for (const auto& [file, expected] : json.items()) {
    check(expected.is_object(), "{}: '{}' must be an object with the tensors", path, file);
    verify_file(file_in(dir, file), expected, threads);
  }
}

}  // namespace fathom
