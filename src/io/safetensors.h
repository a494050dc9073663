// The safetensors format: u64 header length, a JSON header (name -> dtype, shape, data_offsets), then the
// data. Reading maps the file and gives tensors that view the mapping; writing streams, atomically.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/mapped_file.h"
#include "io/safetensors_layout.h"
#include "tensor/tensor.h"

namespace fathom {

// What a file says of one tensor. `view` is empty when no Tensor can show it: another element type (I64, U8,
// F8_E4M3, ...) or more than Tensor::max_rank dimensions. A tensor without dimensions has the view [1].
struct SafetensorsEntry {
  std::string name;
  std::string dtype;           // as the file spells it: "BF16", "I64", ...
  std::vector<int64_t> shape;  // as the file gives it
  std::span<const std::byte> bytes;
  ConstTensor view;  // its type and shape; its elements may lie unaligned, find() gives them
};

class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  // Reads the same format from memory that the caller keeps alive; `name` stands in the errors.
  static SafetensorsFile parse(std::string name, std::span<const std::byte> bytes);

  const std::string& path() const { return path_; }
  // In the order of their data.
  const std::vector<SafetensorsEntry>& tensors() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  const SafetensorsEntry* entry(std::string_view name) const;
  // Error if the file has become shorter since it was opened.
  void check_size() const {
    if (file_) file_->check_size();
  }
  // The tensor, or an empty one if there is none of this name. Error if it is there but no Tensor can show
  // it.
  ConstTensor find(std::string_view name) const;
  // The same, but its absence is an Error too.
  // Elements that lie unaligned in the file are copied at the first call, so find() and tensor() are not for
  // several threads at once.
  ConstTensor tensor(std::string_view name) const;
  // to = the tensor, converted as copy_tensor does and read piece by piece; Errors as of tensor().
  void read(std::string_view name, const Tensor& to) const;
  // The same of the elements `first` and on, in row-major order, whatever the shapes; to is contiguous.
  void read_elements(std::string_view name, int64_t first, const Tensor& to) const;
  // Part of an entry's bytes, as MappedFile::read() gives them; Error when they cannot be read.
  void read_bytes(const SafetensorsEntry& entry, uint64_t offset, std::span<std::byte> to) const;
  // The values of an I32 or I64 tensor of any shape; Error if one does not fit.
  std::vector<int32_t> read_ints(std::string_view name) const;

 private:
  SafetensorsFile() = default;
  void read_header(std::span<const std::byte> bytes);
  void check_layout(size_t data_size);
  const SafetensorsEntry* supported(std::string_view name) const;
  void check_read(int error, std::string_view name) const;

  std::string path_;
  std::optional<MappedFile> file_;
  std::vector<SafetensorsEntry> entries_;
  std::unordered_map<std::string_view, size_t> index_;  // keys point into entries_
  std::map<std::string, std::string> metadata_;
  // Copies of elements that lie unaligned in the file.
  mutable std::unordered_map<const SafetensorsEntry*, std::unique_ptr<std::byte[]>> realigned_;
};

// One tensor to write; strided ones are written row by row, without a copy.
struct NamedTensor {
  std::string name;
  ConstTensor tensor;
  // The element type the file names, for types that Tensor lacks: "U16" and the like. The tensor's own type
  // must have the same size and stands for the bits alone. Empty: the tensor's own type.
  std::string stored_as = {};
};

// What the file says of it; `path` is for errors.
StoredTensor stored_tensor(const std::string& path, const NamedTensor& t);

// Replaces `path` with tensors in the host's memory; see safetensors_layout() for the order of the data and
// the metadata.
void write_safetensors(const std::string& path, std::span<const NamedTensor> tensors,
                       std::map<std::string, std::string> metadata = {});

}  // namespace fathom
