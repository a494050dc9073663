#include "train/checksums.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/threads.h"
#include "comm/agreement.h"
#include "io/content_hash.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

struct Expected {
  const SafetensorsEntry* entry;
  const SafetensorsFile* file;
  std::string hash;
};

void append_tensors(std::vector<Expected>& all, const SafetensorsFile& file, const Json& expected) {
  const std::string& path = file.path();
  const JsonObject fields(expected, path + ": checksums");
  for (const SafetensorsEntry& entry : file.tensors()) {
    check(expected.contains(entry.name), "{}: tensor '{}' has no checksum", path, entry.name);
    all.push_back({&entry, &file, fields.required<std::string>(entry.name)});
  }
  check(file.tensors().size() == expected.size(), "{}: holds {} tensors, but {} were written", path,
        file.tensors().size(), expected.size());
}

std::vector<Expected> expected_tensors(const std::string& dir, const Json& checksums,
                                       std::deque<SafetensorsFile>& files) {
  std::vector<Expected> all;
  for (const auto& [name, expected] : checksums.items()) {
    check(expected.is_object(), "{}: '{}' must be an object with the tensors", file_in(dir, checksums_file),
          name);
    append_tensors(all, files.emplace_back(file_in(dir, name)), expected);
  }
  return all;
}

std::vector<Expected> share_of(const Communicator& ranks, const std::vector<Expected>& all) {
  std::vector<const SafetensorsEntry*> entries;
  for (const Expected& e : all) entries.push_back(e.entry);
  std::vector<Expected> mine;
  for (const size_t i : tensors_of_rank(ranks, entries)) mine.push_back(all[i]);
  return mine;
}

void verify(const std::vector<Expected>& tensors, int threads) {
  std::vector<std::string> hashes(tensors.size());
  parallel_tasks(threads, static_cast<int64_t>(tensors.size()),
                 [&](int, int64_t i) { hashes[i] = content_hash(tensors[i].entry->bytes); });
  for (size_t i = 0; i < tensors.size(); ++i)
    check(tensors[i].hash == hashes[i], "{}: tensor '{}' is damaged: its checksum is {}, but {} was written",
          tensors[i].file->path(), tensors[i].entry->name, hashes[i], tensors[i].hash);
}

}  // namespace

std::vector<size_t> tensors_of_rank(const Communicator& ranks,
                                    std::span<const SafetensorsEntry* const> tensors) {
  double total = 0, before = 0;
  for (const SafetensorsEntry* t : tensors) total += static_cast<double>(t->bytes.size());
  std::vector<size_t> mine;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = static_cast<double>(tensors[i]->bytes.size());
    const double owner = total > 0 ? (before + bytes / 2) / total * ranks.size() : 0;
    if (std::min(static_cast<int>(owner), ranks.size() - 1) == ranks.rank()) mine.push_back(i);
    before += bytes;
  }
  return mine;
}

void sum_hashes(Communicator& ranks, std::vector<HashValue>& hashes) {
  static_assert(sizeof(HashValue) == 2 * sizeof(int64_t));
  ranks.host().run(
      AllReduce{.x = Tensor(hashes.data(), DType::i64, {2 * static_cast<int64_t>(hashes.size())})});
}

void write_checksums(const std::string& dir, const FileChecksums& checksums) {
  write_file(file_in(dir, checksums_file), Json(checksums).dump(1) + "\n");
}

void verify_checksums(Communicator& ranks, const std::string& dir, int threads) {
  together(ranks, [&] {
    const std::string path = file_in(dir, checksums_file);
    if (!fs::exists(path)) {
      if (ranks.rank() == 0)
        log::warn("{}: no {}, made by an earlier release: its tensors are not verified", dir, checksums_file);
      return;
    }
    const Json json = read_json(path);
    check(json.is_object(), "{}: must be an object with the files", path);
    std::deque<SafetensorsFile> files;
    verify(share_of(ranks, expected_tensors(dir, json, files)), threads);
  });
}

}  // namespace fathom
