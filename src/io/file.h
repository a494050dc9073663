// Files: reading, and writing that either happens completely or not at all (temporary name,
// fsync, rename). Every failure is one Error that names the file and the system's reason.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "io/descriptor.h"

namespace fathom {

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
