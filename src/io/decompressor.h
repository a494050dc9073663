// Streaming decompression of a whole file in memory, one piece at a time.
#pragma once
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace fathom {

class Decompressor {
 public:
  virtual ~Decompressor() = default;

  // Reads from the front of `input` and writes into `output`; what was read and written is counted. The file
  // ends where both counts are 0, and only where it may: else an Error that names `path`.
  struct Progress {
    size_t read = 0, written = 0;
  };
  virtual Progress step(std::span<const std::byte> input, std::span<char> output,
                        const std::string& path) = 0;
};

std::unique_ptr<Decompressor> make_zstd_decompressor();
std::unique_ptr<Decompressor> make_gzip_decompressor();

}  // namespace fathom
