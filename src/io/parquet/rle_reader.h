// Numbers of a fixed number of bits in runs: one number many times, or packed one after another (the format's
// "Run Length Encoding / Bit-Packing Hybrid"). Levels, dictionary indices and booleans are written so.
#pragma once
#include "io/parquet/byte_reader.h"

namespace fathom::parquet {

class RleReader {
 public:
  // width: 0 to 32.
  RleReader(Bytes bytes, int width, const std::string& where)
      : bytes_(bytes, where), packed_({}, where), width_(width) {}

  uint32_t next() {
    if (width_ == 0) return 0;
    if (left_ == 0) start_run();
    --left_;
    return is_packed_ ? static_cast<uint32_t>(packed_.next(width_)) : value_;
  }

 private:
  void start_run();

  ByteReader bytes_;
  BitReader packed_;
  int width_;
  bool is_packed_ = false;
  uint64_t left_ = 0;  // of the run
  uint32_t value_ = 0;
};

}  // namespace fathom::parquet
