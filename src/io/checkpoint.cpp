// Finding the shards of a checkpoint, and what each must hold.
#include "io/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "io/json.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

std::string join(const std::string& dir, const std::string& name) {
  return (fs::path(dir) / name).string();
}

// An index comes from outside: it may only name files right beside it.
void check_shard_name(const std::string& index, const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  check(plain, "{}: shard name '{}' is not a plain file name", index, name);
}

std::map<std::string, std::vector<std::string>> read_index(const std::string& path) {
  const Json json = read_json(path);
  const JsonObject weight_map = JsonObject(json, path).child("weight_map");
  std::map<std::string, std::vector<std::string>> names_by_shard;
  for (const auto& [name, unused] : weight_map.json().items()) {
    const auto shard = weight_map.required<std::string>(name);
    check_shard_name(path, shard);
    names_by_shard[shard].push_back(name);
  }
  return names_by_shard;
}

}  // namespace

CheckpointReader::CheckpointReader(const std::string& path) : path_(path) {
  std::error_code ignored;
  check(fs::exists(path, ignored), "{}: no such checkpoint", path);
  const bool directory = fs::is_directory(path, ignored);
  const std::string single = directory ? join(path, single_name) : path, index = join(path, index_name);
  // The order in which the Hugging Face loaders look.
  if (fs::exists(single, ignored)) {
    add(single, {});
    return;
  }
  check(fs::exists(index, ignored), "{}: no checkpoint: neither {} nor {} is there", path, single_name,
        index_name);
  for (const auto& [shard, names] : read_index(index)) {
    check(fs::exists(join(path, shard), ignored), "{}: shard '{}' is missing", index, shard);
    add(join(path, shard), names);
  }
}

// Adds a file's tensors: those named, which must all be there, or every one when no names are given.
void CheckpointReader::add(const std::string& file_name, std::span<const std::string> names) {
  const SafetensorsFile& file = shards_.emplace_back(file_name);
  for (const std::string& name : names)
    check(file.entry(name), "{}: tensor '{}', which the index places here, is missing", file_name, name);
  const auto add_entry = [&](const SafetensorsEntry& entry) {
    shard_of_[entry.name] = shards_.size() - 1;
    bytes_ += static_cast<int64_t>(entry.bytes.size());
  };
  for (const std::string& name : names) add_entry(*file.entry(name));
  if (names.empty())
    for (const SafetensorsEntry& entry : file.tensors()) add_entry(entry);
}

std::vector<std::string> CheckpointReader::names() const {
  std::vector<std::string> names;
  for (const auto& [name, shard] : shard_of_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

ConstTensor CheckpointReader::find(std::string_view name) const {
  const auto found = shard_of_.find(std::string(name));
  return found == shard_of_.end() ? ConstTensor{} : shards_[found->second].find(name);
}

const SafetensorsEntry* CheckpointReader::entry(std::string_view name) const {
  const auto found = shard_of_.find(std::string(name));
  return found == shard_of_.end() ? nullptr : shards_[found->second].entry(name);
}

// That holds a tensor; Error if there is none of this name.
const SafetensorsFile& CheckpointReader::shard(std::string_view name) const {
  const auto found = shard_of_.find(std::string(name));
  check(found != shard_of_.end(), "{}: tensor '{}' is missing", path_, name);
  return shards_[found->second];
}

void CheckpointReader::read(std::string_view name, const Tensor& to) const {
  shard(name).read(name, to);
}

bool CheckpointReader::same(std::string_view a, std::string_view b) const {
  const SafetensorsFile &file_a = shard(a), &file_b = shard(b);
  const SafetensorsEntry &x = *file_a.entry(a), &y = *file_b.entry(b);
  if (x.dtype != y.dtype || x.shape != y.shape) return false;
  constexpr size_t piece = 1 << 18;
  std::vector<std::byte> left(piece), right(piece);
  for (size_t offset = 0; offset < x.bytes.size(); offset += piece) {
    const size_t n = std::min(piece, x.bytes.size() - offset);
    file_a.read_bytes(x, offset, std::span(left).first(n));
    file_b.read_bytes(y, offset, std::span(right).first(n));
    if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(n), right.begin())) return false;
  }
  return true;
}

ConstTensor CheckpointReader::tensor(std::string_view name) const {
  const ConstTensor found = find(name);
  check(static_cast<bool>(found), "{}: tensor '{}' is missing", path_, name);
  return found;
}

}  // namespace fathom
