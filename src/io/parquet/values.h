// The values of a data page, one after another, from any of the format's encodings (its Encodings.md).
#pragma once
#include <concepts>
#include <memory>
#include <string_view>
#include <vector>

#include "io/parquet/schema.h"

namespace fathom::parquet {

// By the physical type: boolean, int32 and int64 are integers, byte_array and fixed_bytes are bytes.
union Value {
  Value() : integer(0) {}
  explicit Value(int64_t i) : integer(i) {}
  explicit Value(double n) : number(n) {}
  explicit Value(std::string_view b) : bytes(b) {}

  int64_t integer;
  double number;
  std::string_view bytes;  // valid until the next value is read
};

template <class Stored>
Value value_of(Stored stored) {
  if constexpr (std::integral<Stored>)
    return Value(static_cast<int64_t>(stored));
  else
    return Value(static_cast<double>(stored));
}

class ValueReader {
 public:
  virtual ~ValueReader() = default;
  // Error past the last one.
  virtual Value next() = 0;
};

// `dictionary` is the column's, null when it has none. Error for an encoding that the type does not have.
// What is given must outlive the reader.
std::unique_ptr<ValueReader> make_value_reader(Encoding encoding, Bytes data, const Leaf& leaf,
                                               const std::vector<Value>* dictionary,
                                               const std::string& where);

}  // namespace fathom::parquet
