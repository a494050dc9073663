// A file's bytes in memory without reading them all. Should the file shrink, or its disk fail, while it is in
// use, the process ends with one error line that names it (io/mapping_guard.h).
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "io/descriptor.h"

namespace fathom {

struct GuardedMapping;

// A regular file mapped read-only. The bytes stay valid, and at the same address, until it is destroyed
// (moves included). They cannot be written through, whatever casts a Tensor view went through.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Copies bytes out of the file by read(2). Unlike the mapping's pages they take no memory besides, and a
  // file that has become shorter is an error. 0, or the errno; ENODATA past the file's end.
  int read(uint64_t offset, std::span<std::byte> to) const noexcept;
  // Takes the pages of bytes [begin, end) out of this process's memory; they come back when they are looked
  // at again.
  void let_go(size_t begin, size_t end) const noexcept;
  // Error if the file has become shorter: what it lost of its last page then
  // reads as zeros, which nothing else reports. To be called after the bytes have been used.
  void check_size() const;

 private:
  std::string path_;
  Descriptor file_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
  GuardedMapping* guard_ = nullptr;
};

}  // namespace fathom
