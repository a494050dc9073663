// A checkpoint directory in the Hugging Face layout: model.safetensors, or model.safetensors.index.json and
// the shards it lists.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/content_hash.h"
#include "io/copy_tensor.h"
#include "io/hidden_folder.h"
#include "io/safetensors.h"
#include "io/slice_writer.h"
#include "io/tensor_files.h"
#include "tensor/tensor.h"

namespace fathom {

class CheckpointReader {
 public:
  // A directory, or one .safetensors file. Maps every shard and checks that each holds what the index says,
  // and nothing else. A directory with both a single file and an index is read from the single file, with a
  // warning.
  explicit CheckpointReader(const std::string& path);

  const std::string& path() const { return path_; }
  // Sorted.
  std::vector<std::string> names() const;
  // An empty tensor if there is none of this name; the view lives as long as the reader.
  ConstTensor find(std::string_view name) const;
  // The same, but its absence is an Error.
  ConstTensor tensor(std::string_view name) const;
  // What the file says of the tensor; null if there is none of this name.
  const SafetensorsEntry* entry(std::string_view name) const;
  // to = the tensor, converted as copy_tensor does. It is read from the file piece by piece, so that loading
  // needs no memory but the destination's. Its absence is an Error.
  void read(std::string_view name, const Tensor& to) const;
  // The same of the elements `first` and on, in row-major order, whatever the shapes; to is contiguous.
  void read_elements(std::string_view name, int64_t first, const Tensor& to) const;
  // Whether two tensors that are there hold the same type, shape and bytes.
  bool same(std::string_view a, std::string_view b) const;
  // The file that says which tensors there are: the single one, or the index.
  const std::string& listing() const { return listing_; }
  // The file that holds a tensor; the listing if there is none of this name.
  const std::string& file_of(std::string_view name) const;
  // Size of all tensors together, in bytes.
  int64_t bytes() const { return bytes_; }

 private:
  void add(const std::string& file_name);
  void check_against_index(const std::map<std::string, std::string>& shard_names) const;
  const SafetensorsFile& shard(std::string_view name) const;

  std::string path_, listing_;
  std::vector<SafetensorsFile> shards_;
  std::unordered_map<std::string, size_t> shard_of_;
  int64_t bytes_ = 0;
};

// Fills the slices, which stand in this device's memory; types are converted.
void read_slices(const Device& device, const CheckpointReader& checkpoint,
                 const std::vector<SliceToRead>& slices);

// The content_hash of a tensor's stored bytes by its name, of each file by its.
using TensorChecksums = std::map<std::string, std::string>;
using FileChecksums = std::map<std::string, TensorChecksums>;

// The files of a checkpoint that is to be written: one model.safetensors if the tensors fit max_shard_bytes,
// else shards of at most that size (a larger tensor gets one of its own) and an index. Tensors keep their
// order across shards.
struct CheckpointFiles {
  std::vector<TensorFile> files;
  std::string index;  // the content of model.safetensors.index.json; empty: there is none
};
CheckpointFiles checkpoint_files(const std::vector<StoredTensor>& tensors, int64_t max_shard_bytes);
// Names of the files that a checkpoint may have.
FilePatterns checkpoint_file_patterns();
void write_index(const std::string& dir, const CheckpointFiles& checkpoint);

// Writes these files into a folder that nobody reads yet; `device` is where the slices are, which cover every
// tensor whole. Returns the checksums.
FileChecksums write_tensors(const Device& device, const std::string& dir,
                            const std::vector<TensorFile>& files, const std::vector<TensorSlice>& slices);
// By tensors of TensorFiles.
FileChecksums named_checksums(const TensorFiles& files, std::span<const HashValue> hashes);

// Writes tensors into `dir`, created if need be; see checkpoint_files(). They replace what another checkpoint
// left there in one step. `device` is where they are; by default they are in the host's memory.
void write_sharded(const std::string& dir, std::span<const NamedTensor> tensors, int64_t max_shard_bytes,
                   const Device& device = Device::cpu(1));

}  // namespace fathom
