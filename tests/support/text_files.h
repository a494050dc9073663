// Text as it lies in files: compressed, and long enough that it is read in several pieces.
#pragma once
#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace fathom::testing {

inline std::string zstd_compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

inline std::string gzipped(std::string text) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;
  check(deflateInit2(&stream, 6, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) == Z_OK, "no deflate");
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(text.data()), stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data()), stream.avail_out = static_cast<uInt>(out.size());
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END, "the text does not fit");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// Several megabytes that do not compress to nothing, in lines of very different lengths.
inline std::vector<std::string> many_lines() {
  std::vector<std::string> lines;
  uint32_t state = 1;
  for (int i = 0; i < 3000; ++i) {
    std::string line;
    const int length = i == 1500 ? 1'000'000 : i % 1999;
    for (int j = 0; j < length; ++j)
      line += static_cast<char>('a' + ((state = state * 1664525 + 1013904223) >> 28));
    lines.push_back(line);
  }
  return lines;
}

inline std::string joined(const std::vector<std::string>& lines, const std::string& end = "\n") {
  std::string text;
  for (const std::string& line : lines) text += line + end;
  return text;
}

}  // namespace fathom::testing
