// Values of the delta encodings: integers, texts by their lengths, texts by what they share with the one
// before.
#pragma once
#include <string>

#include "io/parquet/delta_reader.h"
#include "io/parquet/values.h"

namespace fathom::parquet {

template <class Stored>
class DeltaNumbers : public ValueReader {
 public:
  DeltaNumbers(Bytes data, const std::string& where) : numbers_(data, where) {}
  Value next() override { return value_of(static_cast<Stored>(numbers_.next())); }

 private:
  DeltaReader numbers_;
};

// All lengths, then all texts.
class DeltaLengthTexts : public ValueReader {
 public:
  DeltaLengthTexts(Bytes data, const std::string& where)
      : lengths_(data, where), texts_(data.subspan(lengths_.encoded_size()), where) {}
  Value next() override { return Value(text_of(texts_.take(static_cast<uint64_t>(lengths_.next())))); }

 private:
  DeltaReader lengths_;
  ByteReader texts_;
};

// How much of its predecessor each text begins with, for all; then what follows, for all.
class DeltaTexts : public ValueReader {
 public:
  DeltaTexts(Bytes data, const Leaf& leaf, const std::string& where)
      : where_(where),
        leaf_(leaf),
        shared_(data, where),
        rest_(data.subspan(shared_.encoded_size()), where) {}
  Value next() override {
    const auto n = static_cast<uint64_t>(shared_.next());
    check(n <= text_.size(), "{}: a text that begins with {} bytes of one of {}", where_, n, text_.size());
    text_.resize(n);
    text_ += rest_.next().bytes;
    check(leaf_.type == PhysicalType::byte_array || text_.size() == static_cast<size_t>(leaf_.length),
          "{}: a value of {} bytes where all have {}", where_, text_.size(), leaf_.length);
    return Value(text_);
  }

 private:
  const std::string& where_;
  const Leaf& leaf_;
  DeltaReader shared_;
  DeltaLengthTexts rest_;
  std::string text_;
};

}  // namespace fathom::parquet
