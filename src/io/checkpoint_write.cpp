// Splitting a checkpoint into shards, and writing one from a single process.
#include "base/error.h"
#include "io/atomic_folder.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/json.h"

namespace fathom {
namespace {

constexpr const char* single_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

// Consecutive runs of tensors that fit a shard together.
std::vector<TensorFile> split(const std::vector<StoredTensor>& tensors, int64_t max_bytes) {
  std::vector<TensorFile> shards(1);
  int64_t used = 0;
  for (const StoredTensor& t : tensors) {
    if (!shards.back().tensors.empty() && used + t.bytes() > max_bytes) {
      shards.emplace_back();
      used = 0;
    }
    shards.back().tensors.push_back(t);
    used += t.bytes();
  }
  return shards;
}

std::string index_text(const std::vector<TensorFile>& shards) {
  Json json = {{"metadata", {{"total_size", 0}}}, {"weight_map", Json::object()}};
  int64_t total = 0;
  for (const TensorFile& shard : shards)
    for (const StoredTensor& t : shard.tensors) {
      json["weight_map"][t.name] = shard.name;
      total += t.bytes();
    }
  json["metadata"]["total_size"] = total;
  return json.dump(2) + "\n";
}

}  // namespace

CheckpointFiles checkpoint_files(const std::vector<StoredTensor>& tensors, int64_t max_shard_bytes) {
  check(max_shard_bytes > 0, "the shard size must be positive, got {}", max_shard_bytes);
  CheckpointFiles checkpoint{split(tensors, max_shard_bytes), {}};
  std::vector<TensorFile>& shards = checkpoint.files;
  if (shards.size() == 1) {
    shards[0].name = single_name;
    return checkpoint;
  }
  for (size_t i = 0; i < shards.size(); ++i)
    shards[i].name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  checkpoint.index = index_text(shards);
  return checkpoint;
}

FilePatterns checkpoint_file_patterns() {
  return {single_name, "model-*-of-*.safetensors", index_name};
}

void write_index(const std::string& dir, const CheckpointFiles& checkpoint) {
  if (!checkpoint.index.empty()) write_file(file_in(dir, index_name), checkpoint.index);
}

FileChecksums named_checksums(const TensorFiles& files, std::span<const HashValue> hashes) {
  FileChecksums checksums;
  for (int64_t i = 0; i < files.count(); ++i)
    checksums[files.file_of(i)][files.tensor(i).name] = hashes[i].text();
  return checksums;
}

FileChecksums write_tensors(const Device& device, const std::string& dir,
                            const std::vector<TensorFile>& files, const std::vector<TensorSlice>& slices) {
  TensorFiles written(dir, files);
  SliceWriter writer(device, written, slices);
  written.create();
  writer.write();
  return named_checksums(written, writer.hashes());
}

void write_sharded(const std::string& dir, std::span<const NamedTensor> tensors, int64_t max_shard_bytes,
                   const Device& device) {
  std::vector<StoredTensor> stored;
  std::vector<TensorSlice> slices;
  for (const NamedTensor& t : tensors) {
    stored.push_back(stored_tensor(dir, t));
    slices.push_back({t.name, 0, t.tensor});
  }
  const CheckpointFiles checkpoint = checkpoint_files(stored, max_shard_bytes);
  AtomicFolder folder(dir, checkpoint_file_patterns());
  write_tensors(device, folder.path(), checkpoint.files, slices);
  write_index(folder.path(), checkpoint);
  folder.commit();
}

}  // namespace fathom
