// Integers as differences, packed in blocks with the smallest difference of each block taken off (the
// format's DELTA_BINARY_PACKED).
#pragma once
#include "io/parquet/byte_reader.h"

namespace fathom::parquet {

class DeltaReader {
 public:
  DeltaReader(Bytes bytes, const std::string& where);

  int64_t next();
  // Where the encoded numbers end in the bytes: what follows them belongs to somebody else.
  size_t encoded_size() const;

 private:
  void start_part();

  ByteReader bytes_;
  BitReader packed_;
  Bytes widths_;                   // of the block's parts that are left
  uint64_t parts_, part_size_;     // of a block; values of a part
  uint64_t left_, in_part_ = 0;    // values that are to come, and those of them in this part
  int width_ = 0;                  // of the part
  uint64_t value_, smallest_ = 0;  // differences wrap around
  bool is_first_ = true;
};

}  // namespace fathom::parquet
