#include "train/optimizer_file.h"

#include <unordered_set>

#include "base/error.h"
#include "model/checkpoint_layout.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

// Of weights that have no master copy now.
StorageTypes types_without_master(DType dtype) {
  return [types = master_types(dtype), dtype](const WeightInfo& info) -> std::optional<DType> {
    if (types(info)) return std::nullopt;
    return stat_of(dtype);
  };
}

void append(std::vector<StoredTensor>& all, const char* prefix, std::vector<StoredTensor> tensors) {
  for (StoredTensor& t : tensors) {
    t.name = prefix + t.name;
    all.push_back(std::move(t));
  }
}

void check_shape(const CheckpointReader& file, const StoredTensor& t) {
  const SafetensorsEntry* entry = file.entry(t.name);
  check(entry, "{}: tensor '{}' is missing", file.path(), t.name);
  check(entry->shape == t.shape, "{}: tensor '{}' has shape [{}], this model's has [{}]", file.path(), t.name,
        fmt::join(entry->shape, ", "), fmt::join(t.shape, ", "));
}

void check_file(const CheckpointReader& file, const Config& config, DType dtype) {
  std::unordered_set<std::string> known;
  for (const StoredTensor& t : optimizer_tensors(config, dtype)) {
    check_shape(file, t);
    known.insert(t.name);
  }
  std::vector<StoredTensor> older;
  append(older, "master.", stored_tensors(config, types_without_master(dtype)));
  for (const StoredTensor& t : older) {
    if (file.entry(t.name)) check_shape(file, t);
    known.insert(t.name);
  }
  for (const std::string& name : file.names())
    check(known.contains(name), "{}: tensor '{}' is not part of this model's optimizer", file.path(), name);
}

}  // namespace

StorageTypes master_types(DType dtype) {
  return [dtype](const WeightInfo& info) -> std::optional<DType> {
    if (!is_trained(info) || storage_type(info, dtype) == stat_of(dtype)) return std::nullopt;
    return stat_of(dtype);
  };
}

std::vector<StoredTensor> optimizer_tensors(const Config& config, DType dtype) {
  const StorageTypes moments = gradient_types(dtype);
  std::vector<StoredTensor> all;
  append(all, "m.", stored_tensors(config, moments));
  append(all, "v.", stored_tensors(config, moments));
  append(all, "master.", stored_tensors(config, master_types(dtype)));
  return all;
}

void read_optimizer_file(const Device& device, const std::string& path, const Config& config, DType dtype,
                         const std::vector<SliceToRead>& slices,
                         const std::vector<SliceToRead>& without_master) {
  const CheckpointReader file(path);
  check_file(file, config, dtype);
  std::vector<SliceToRead> all = slices;
  for (const SliceToRead& slice : without_master)
    if (file.entry(slice.name)) all.push_back(slice);
  read_slices(device, file, all);
}

}  // namespace fathom
