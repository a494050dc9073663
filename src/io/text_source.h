// The bytes of a text file in order, decompressed while they are read.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace fathom {

// A path without the ending of a compressed file: "a.txt" of "a.txt.zst" and of "a.txt.gz".
std::string_view without_compression(std::string_view path);

// Decompresses when the name ends in .zst or .gz. A corrupt or truncated file is an Error.
class TextSource {
 public:
  explicit TextSource(const std::string& path);
  ~TextSource();

  // Up to `size` bytes; 0 only at the end.
  size_t read(char* data, size_t size);
  const std::string& path() const;
  // Where reading stands in the file, and the file's size: for a progress line.
  int64_t consumed() const;
  int64_t total() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fathom
