// Safetensors files of one folder that are written in place, piece by piece, by one process or by several
// together: every tensor has its place before anything is written. The folder is one that nobody reads yet
// (io/atomic_folder.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/descriptor.h"
#include "io/safetensors_layout.h"

namespace fathom {

struct TensorFile {
  std::string name;
  std::vector<StoredTensor> tensors;  // of all files together each name is there once
};

class TensorFiles {
 public:
  // Nothing is written yet.
  TensorFiles(const std::string& folder, const std::vector<TensorFile>& files);

  // The tensors of all files, in the order of their bytes.
  int64_t count() const { return static_cast<int64_t>(tensors_.size()); }
  const StoredTensor& tensor(int64_t i) const { return tensors_[i].stored; }
  const std::string& file_of(int64_t i) const { return files_[tensors_[i].file].name; }
  // Which one has this name; an Error if none has.
  int64_t find(const std::string& name) const;

  // Makes the files, in their full size and with their headers: once, before anybody writes. Error when the
  // disk has too little room for them, where it can tell.
  void create();
  // Bytes of a tensor from `offset` on.
  void write(int64_t tensor, uint64_t offset, std::span<const std::byte> bytes);
  // Returns when all that was written here is on the disk.
  void sync();

 private:
  struct File {
    std::string name, path, head;
    uint64_t bytes = 0;
    Descriptor descriptor;
  };
  struct Place {
    StoredTensor stored;
    size_t file;
    uint64_t offset;
  };

  void open(File& file) const;
  void flush();

  std::vector<File> files_;
  std::vector<Place> tensors_;
  std::unordered_map<std::string_view, int64_t> index_;  // keys point into tensors_
  // Small pieces that follow one another are written together.
  std::string buffer_;
  size_t buffered_file_ = 0;
  uint64_t buffer_offset_ = 0;
};

}  // namespace fathom
