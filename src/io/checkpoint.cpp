// Finding the shards of a checkpoint, and what each must hold.
#include "io/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "io/descriptor.h"
#include "io/json.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

// An index comes from outside: it may only name files right beside it.
void check_shard_name(const std::string& index, const std::string& name) {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
  check(plain, "{}: shard name '{}' is not a plain file name", index, name);
}

// Tensor name -> shard name.
std::map<std::string, std::string> read_index(const std::string& path) {
  const Json json = read_json(path);
  const JsonObject weight_map = JsonObject(json, path).child("weight_map");
  std::map<std::string, std::string> shard_names;
  for (const auto& [name, unused] : weight_map.json().items()) {
    const auto shard = weight_map.required<std::string>(name);
    check_shard_name(path, shard);
    shard_names[name] = shard;
  }
  return shard_names;
}

std::string file_name(const std::string& path) {
  return fs::path(path).filename().string();
}

}  // namespace

CheckpointReader::CheckpointReader(const std::string& path) : path_(path) {
  std::error_code ignored;
  check(fs::exists(path, ignored), "{}: no such checkpoint", path);
  const bool directory = fs::is_directory(path, ignored);
  const std::string single = directory ? file_in(path, single_name) : path, index = file_in(path, index_name);
  // The order in which the Hugging Face loaders look.
  if (fs::exists(single, ignored)) {
    if (directory && fs::exists(index, ignored))
      log::warn_once(
          fmt::format("{}: holds both {} and {}: the first is used", path, single_name, index_name));
    listing_ = single;
    add(single);
    return;
  }
  check(fs::exists(index, ignored), "{}: no checkpoint: neither {} nor {} is there", path, single_name,
        index_name);
  listing_ = index;
  const std::map<std::string, std::string> shard_names = read_index(index);
  std::set<std::string> shards;
  for (const auto& [name, shard] : shard_names) shards.insert(shard);
  for (const std::string& shard : shards) {
    check(fs::exists(file_in(path, shard), ignored), "{}: shard '{}' is missing", index, shard);
    add(file_in(path, shard));
  }
  check_against_index(shard_names);
}

void CheckpointReader::add(const std::string& file_name) {
  const SafetensorsFile& file = shards_.emplace_back(file_name);
  for (const SafetensorsEntry& entry : file.tensors()) {
    const auto [other, added] = shard_of_.emplace(entry.name, shards_.size() - 1);
    check(added, "{}: tensor '{}' is also in {}", file_name, entry.name,
          added ? "" : shards_[other->second].path());
    bytes_ += static_cast<int64_t>(entry.bytes.size());
  }
}

// Every tensor is where the index says, and the index lists every tensor.
void CheckpointReader::check_against_index(const std::map<std::string, std::string>& shard_names) const {
  for (const auto& [name, shard] : shard_names)
    check(shard_of_.contains(name) && file_name(file_of(name)) == shard,
          "{}: tensor '{}', which the index places here, is missing", file_in(path_, shard), name);
  for (const auto& [name, shard] : shard_of_)
    check(shard_names.contains(name), "{}: tensor '{}' is not in {}", shards_[shard].path(), name,
          index_name);
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

void CheckpointReader::read_elements(std::string_view name, int64_t first, const Tensor& to) const {
  shard(name).read_elements(name, first, to);
}

void read_slices(const Device& device, const CheckpointReader& checkpoint,
                 const std::vector<SliceToRead>& slices) {
  constexpr int64_t most = 16 << 20;  // elements that a GPU's take at a time
  Staging staging(device);
  for (const SliceToRead& s : slices) {
    const int64_t n = s.values.count();
    const Tensor flat = s.values.reshape({n});
    for (int64_t at = 0; at < n; at += most)
      staging.write(flat.slice(at, std::min(most, n - at)),
                    [&](const Tensor& host) { checkpoint.read_elements(s.name, s.first + at, host); });
  }
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
  return shard(name).tensor(name);
}

const std::string& CheckpointReader::file_of(std::string_view name) const {
  const auto found = shard_of_.find(std::string(name));
  return found == shard_of_.end() ? listing_ : shards_[found->second].path();
}

}  // namespace fathom
