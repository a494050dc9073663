// Values of the encoding BYTE_STREAM_SPLIT.
#pragma once
#include <algorithm>
#include <string>

#include "io/parquet/values.h"

namespace fathom::parquet {

// The first bytes of all values, then the second ones, ...
class SplitBytes {
 public:
  SplitBytes(Bytes data, size_t width, const std::string& where)
      : data_(data), where_(where), n_(data.size() / width), width_(width) {
    check(data.size() % width == 0, "{}: {} bytes hold no whole number of values of {}", where, data.size(),
          width);
  }
  void next(void* to) {
    check(at_ < n_, "{}: the data ends too early", where_);
    for (size_t i = 0; i < width_; ++i) static_cast<std::byte*>(to)[i] = data_[i * n_ + at_];
    ++at_;
  }

 private:
  Bytes data_;
  const std::string& where_;
  size_t n_, width_, at_ = 0;
};

template <class Stored>
class SplitNumbers : public ValueReader {
 public:
  SplitNumbers(Bytes data, const std::string& where) : bytes_(data, sizeof(Stored), where) {}
  Value next() override {
    Stored stored;
    bytes_.next(&stored);
    return value_of(stored);
  }

 private:
  SplitBytes bytes_;
};

class SplitFixedBytes : public ValueReader {
 public:
  SplitFixedBytes(Bytes data, int length, const std::string& where)
      : bytes_(data, static_cast<size_t>(length), where),
        value_(std::min(static_cast<size_t>(length), data.size()), '\0') {}
  Value next() override {
    bytes_.next(value_.data());
    return Value(value_);
  }

 private:
  SplitBytes bytes_;
  std::string value_;
};

}  // namespace fathom::parquet
