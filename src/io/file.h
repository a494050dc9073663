// Files: memory-mapped reading, and writing that either happens completely or not at all (temporary name,
// fsync, rename). Every failure is one Error that names the file and the system's reason.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "io/descriptor.h"

namespace fathom {

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

 private:
  std::string path_;
  Descriptor file_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// The whole content; works on pipes and /proc as well.
std::string read_file(const std::string& path);

// Writes to a temporary name beside `path`; commit() moves it into place. Destroyed without commit(), or
// after any failure, it leaves nothing behind and `path` as it was. What a killed process left is removed by
// the next one that writes the same file.
class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Bytes written so far.
  uint64_t position() const { return position_; }
  // Flush, fsync, rename, fsync of the folder. Nothing may be written afterwards.
  void commit();

 private:
  void flush();
  void write_through(std::span<const std::byte> bytes);
  void discard() noexcept;
  [[noreturn]] void fail_with(int error);

  std::string path_, temporary_, buffer_;
  uint64_t position_ = 0;
  Descriptor descriptor_;
};

// Replaces the content of `path` with `content`, atomically.
void write_file(const std::string& path, std::string_view content);

}  // namespace fathom
