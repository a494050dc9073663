// Splitting a checkpoint into shards, in an order of steps that never leaves an index over a mixture of old
// and new.
#include <filesystem>
#include <set>

#include "base/error.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  check(!error, "{}: cannot remove: {}", path.string(), error.message());
}

// Removes the shards of an earlier checkpoint, all "model-*-of-*.safetensors" but those in `keep`.
void remove_other_shards(const fs::path& dir, const std::set<std::string>& keep) {
  std::vector<fs::path> stale;
  for (const auto& file : fs::directory_iterator(dir)) {
    const std::string name = file.path().filename().string();
    const bool shard = name.starts_with("model-") && name.ends_with(".safetensors") &&
                       name.find("-of-") != std::string::npos;
    if (shard && !keep.contains(name)) stale.push_back(file.path());
  }
  for (const fs::path& path : stale) remove_file(path);
}

// Consecutive runs of tensors that fit a shard together.
std::vector<std::span<const NamedTensor>> split(std::span<const NamedTensor> tensors, int64_t max_bytes) {
  std::vector<std::span<const NamedTensor>> shards;
  size_t begin = 0;
  int64_t used = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (i > begin && used + tensors[i].tensor.bytes() > max_bytes) {
      shards.push_back(tensors.subspan(begin, i - begin));
      begin = i;
      used = 0;
    }
    used += tensors[i].tensor.bytes();
  }
  shards.push_back(tensors.subspan(begin));
  return shards;
}

// Each writer checks its own shard; a name may not come back in another shard either.
void check_names(const std::string& dir, std::span<const NamedTensor> tensors) {
  std::set<std::string_view> seen;
  for (const NamedTensor& t : tensors)
    check(seen.insert(t.name).second, "{}: cannot write two tensors named '{}'", dir, t.name);
}

}  // namespace

FileChecksums write_sharded(const std::string& dir, std::span<const NamedTensor> tensors,
                            int64_t max_shard_bytes, const Device* device) {
  check(max_shard_bytes > 0, "{}: the shard size must be positive, got {}", dir, max_shard_bytes);
  check_names(dir, tensors);
  std::error_code error;
  fs::create_directories(dir, error);
  check(!error, "{}: cannot create the directory: {}", dir, error.message());
  const fs::path single = fs::path(dir) / "model.safetensors";
  const fs::path index = fs::path(dir) / "model.safetensors.index.json";

  const auto shards = split(tensors, max_shard_bytes);
  if (shards.size() == 1) {
    // readers prefer it from the moment it is there
    FileChecksums checksums = {
        {single.filename().string(), write_safetensors(single.string(), tensors, {}, device)}};
    remove_file(index);
    remove_other_shards(dir, {});
    return checksums;
  }
  remove_file(index);
  std::set<std::string> written;
  FileChecksums checksums;
  Json json = {{"metadata", {{"total_size", 0}}}, {"weight_map", Json::object()}};
  int64_t total = 0;
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    checksums[name] = write_safetensors(file_in(dir, name), shards[i], {}, device);
    written.insert(name);
    for (const NamedTensor& t : shards[i]) {
      json["weight_map"][t.name] = name;
      total += t.tensor.bytes();
    }
  }
  json["metadata"]["total_size"] = total;
  write_file(index.string(), json.dump(2) + "\n");
  remove_file(single);
  remove_other_shards(dir, written);
  return checksums;
}

}  // namespace fathom
