// Thrift's compact protocol, in which Parquet writes its metadata: structs of numbered fields. What a reader
// does not know is skipped.
#pragma once
#include <cstdint>
#include <string_view>

#include "io/parquet/byte_reader.h"

namespace fathom::parquet {

class ThriftReader {
 public:
  enum class Type : uint8_t {
    stop,
    yes,
    no,
    byte,
    i16,
    i32,
    i64,
    real,
    binary,
    list,
    set,
    map,
    structure,
    uuid
  };

  ThriftReader(Bytes bytes, const std::string& where) : bytes_(bytes, where) {}

  size_t position() const { return bytes_.position(); }

  // Calls field(id, type) for each field of a struct. It reads the value and returns true, or returns false.
  template <class Field>
  void structure(Field&& field) {
    enter();
    int id = 0;
    for (Type type; (type = next_field(id)) != Type::stop;)
      if (!field(id, type)) skip(type);
    --depth_;
  }
  // A field that is a struct.
  template <class Field>
  bool structure(Type type, Field&& field) {
    expect(type == Type::structure, "a struct");
    structure(field);
    return true;
  }
  // Calls element() for each element of a list of `elements`; it reads the value.
  template <class Element>
  bool list(Type type, Type elements, Element&& element) {
    for (uint64_t n = list_size(type, elements); n > 0; --n) element();
    return true;
  }

  bool boolean(Type type);
  // Of any width up to 64 bits.
  int64_t integer(Type type);
  // The same, between low and high.
  int64_t integer(Type type, int64_t low, int64_t high, const char* what);
  std::string_view binary(Type type);

 private:
  void enter();
  Type next_field(int& id);
  uint64_t list_size(Type type, Type elements);
  void skip(Type type);
  void skip_element(Type type);
  void skip_list();
  void skip_map();
  void expect(bool is, const char* what) const;

  ByteReader bytes_;
  int depth_ = 0;
};

}  // namespace fathom::parquet
