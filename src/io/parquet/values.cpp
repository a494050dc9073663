#include "io/parquet/values.h"

#include "io/parquet/delta_values.h"
#include "io/parquet/rle_reader.h"
#include "io/parquet/split_values.h"

namespace fathom::parquet {
namespace {

template <class Stored>
class PlainNumbers : public ValueReader {
 public:
  PlainNumbers(Bytes data, const std::string& where) : bytes_(data, where) {}
  Value next() override { return value_of(bytes_.little<Stored>()); }

 private:
  ByteReader bytes_;
};

class PlainBooleans : public ValueReader {
 public:
  PlainBooleans(Bytes data, const std::string& where) : bits_(data, where) {}
  Value next() override { return value_of(bits_.next(1)); }

 private:
  BitReader bits_;
};

class PlainTexts : public ValueReader {
 public:
  PlainTexts(Bytes data, const std::string& where) : bytes_(data, where) {}
  Value next() override { return Value(text_of(bytes_.take(bytes_.little<uint32_t>()))); }

 private:
  ByteReader bytes_;
};

class PlainFixedBytes : public ValueReader {
 public:
  PlainFixedBytes(Bytes data, int length, const std::string& where)
      : bytes_(data, where), length_(static_cast<size_t>(length)) {}
  Value next() override { return Value(text_of(bytes_.take(length_))); }

 private:
  ByteReader bytes_;
  size_t length_;
};

// Their size stands before them.
class RleBooleans : public ValueReader {
 public:
  RleBooleans(Bytes data, const std::string& where) : runs_(sized(ByteReader(data, where)), 1, where) {}
  Value next() override { return value_of(runs_.next()); }

 private:
  static Bytes sized(ByteReader bytes) { return bytes.take(bytes.little<uint32_t>()); }

  RleReader runs_;
};

// Indices; the number of their bits stands before them.
class DictionaryValues : public ValueReader {
 public:
  DictionaryValues(Bytes data, const std::vector<Value>& dictionary, const std::string& where)
      : dictionary_(dictionary), where_(where), indices_(indices(data)) {}
  Value next() override {
    const uint32_t index = indices_.next();
    check(index < dictionary_.size(), "{}: index {} into a dictionary of {} values", where_, index,
          dictionary_.size());
    return dictionary_[index];
  }

 private:
  RleReader indices(Bytes data) const {
    ByteReader bytes(data, where_);
    const int width = bytes.byte();
    check(width <= 32, "{}: dictionary indices of {} bits", where_, width);
    return {bytes.rest(), width, where_};
  }

  const std::vector<Value>& dictionary_;
  const std::string& where_;
  RleReader indices_;
};

using Reader = std::unique_ptr<ValueReader>;

template <template <class> class Numbers>
Reader of_numbers(PhysicalType type, Bytes data, const std::string& where) {
  switch (type) {
    case PhysicalType::int32:
      return std::make_unique<Numbers<int32_t>>(data, where);
    case PhysicalType::int64:
      return std::make_unique<Numbers<int64_t>>(data, where);
    case PhysicalType::float32:
      return std::make_unique<Numbers<float>>(data, where);
    case PhysicalType::float64:
      return std::make_unique<Numbers<double>>(data, where);
    default:
      return nullptr;
  }
}

Reader plain(Bytes data, const Leaf& leaf, const std::string& where) {
  if (leaf.type == PhysicalType::boolean) return std::make_unique<PlainBooleans>(data, where);
  if (leaf.type == PhysicalType::byte_array) return std::make_unique<PlainTexts>(data, where);
  if (leaf.type == PhysicalType::fixed_bytes)
    return std::make_unique<PlainFixedBytes>(data, leaf.length, where);
  return of_numbers<PlainNumbers>(leaf.type, data, where);
}

// Null for an encoding that the type does not have.
Reader reader(Encoding encoding, Bytes data, const Leaf& leaf, const std::vector<Value>* dictionary,
              const std::string& where) {
  const bool is_text = leaf.type == PhysicalType::byte_array,
             is_fixed = leaf.type == PhysicalType::fixed_bytes;
  switch (encoding) {
    case Encoding::plain:
      return plain(data, leaf, where);
    case Encoding::plain_dictionary:
    case Encoding::rle_dictionary:
      check(dictionary, "{}: dictionary indices without a dictionary", where);
      return std::make_unique<DictionaryValues>(data, *dictionary, where);
    case Encoding::rle:
      return leaf.type == PhysicalType::boolean ? std::make_unique<RleBooleans>(data, where) : nullptr;
    case Encoding::delta_binary_packed:
      if (leaf.type == PhysicalType::int32) return std::make_unique<DeltaNumbers<int32_t>>(data, where);
      return leaf.type == PhysicalType::int64 ? std::make_unique<DeltaNumbers<int64_t>>(data, where)
                                              : nullptr;
    case Encoding::delta_length_byte_array:
      return is_text ? std::make_unique<DeltaLengthTexts>(data, where) : nullptr;
    case Encoding::delta_byte_array:
      return is_text || is_fixed ? std::make_unique<DeltaTexts>(data, leaf, where) : nullptr;
    case Encoding::byte_stream_split:
      if (is_fixed) return std::make_unique<SplitFixedBytes>(data, leaf.length, where);
      return of_numbers<SplitNumbers>(leaf.type, data, where);
    default:
      return nullptr;
  }
}

}  // namespace

Reader make_value_reader(Encoding encoding, Bytes data, const Leaf& leaf,
                         const std::vector<Value>* dictionary, const std::string& where) {
  Reader made = reader(encoding, data, leaf, dictionary, where);
  check(made != nullptr, "{}: is in encoding {}, which its type does not have or which is not read", where,
        static_cast<int>(encoding));
  return made;
}

}  // namespace fathom::parquet
