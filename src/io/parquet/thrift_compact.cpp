#include "io/parquet/thrift_compact.h"

namespace fathom::parquet {
namespace {

constexpr int most_depth = 64;  // of structs and lists inside each other

ThriftReader::Type type_of(int code, const std::string& where) {
  check(code <= static_cast<int>(ThriftReader::Type::uuid), "{}: metadata with a field of unknown type {}",
        where, code);
  return static_cast<ThriftReader::Type>(code);
}

}  // namespace

void ThriftReader::enter() {
  check(++depth_ <= most_depth, "{}: metadata nested deeper than {}", bytes_.where(), most_depth);
}

// A byte has the type, and the number as what it is above the last one's; 0: the number follows.
ThriftReader::Type ThriftReader::next_field(int& id) {
  const uint8_t header = bytes_.byte();
  const Type type = type_of(header & 15, bytes_.where());
  if (type == Type::stop) return type;
  const int64_t next = header >> 4 ? id + (header >> 4) : bytes_.zigzag();
  check(next >= 0 && next < 1 << 15, "{}: metadata with a field number of {}", bytes_.where(), next);
  id = static_cast<int>(next);
  return type;
}

// Every element takes a byte at least, so that a size cannot be larger than what follows.
uint64_t ThriftReader::list_size(Type type, Type elements) {
  expect(type == Type::list || type == Type::set, "a list");
  const uint8_t header = bytes_.byte();
  const uint64_t size = header >> 4 == 15 ? bytes_.varint() : header >> 4;
  check(size <= bytes_.left(), "{}: metadata with a list of {} elements in {} bytes", bytes_.where(), size,
        bytes_.left());
  expect(size == 0 || type_of(header & 15, bytes_.where()) == elements, "a list of another type");
  return size;
}

bool ThriftReader::boolean(Type type) {
  expect(type == Type::yes || type == Type::no, "a boolean");
  return type == Type::yes;
}

int64_t ThriftReader::integer(Type type) {
  if (type == Type::byte) return static_cast<int8_t>(bytes_.byte());
  expect(type == Type::i16 || type == Type::i32 || type == Type::i64, "an integer");
  return bytes_.zigzag();
}

int64_t ThriftReader::integer(Type type, int64_t low, int64_t high, const char* what) {
  const int64_t value = integer(type);
  check(value >= low && value <= high, "{}: {} is {}", bytes_.where(), what, value);
  return value;
}

std::string_view ThriftReader::binary(Type type) {
  expect(type == Type::binary, "a text");
  return text_of(bytes_.take(bytes_.varint()));
}

void ThriftReader::skip(Type type) {
  if (type != Type::yes && type != Type::no) skip_element(type);
}

// Unlike a field's, the booleans of a list take a byte.
void ThriftReader::skip_element(Type type) {
  switch (type) {
    case Type::stop:
      break;
    case Type::yes:
    case Type::no:
    case Type::byte:
      bytes_.byte();
      break;
    case Type::i16:
    case Type::i32:
    case Type::i64:
      bytes_.varint();
      break;
    case Type::real:
      bytes_.take(8);
      break;
    case Type::uuid:
      bytes_.take(16);
      break;
    case Type::binary:
      bytes_.take(bytes_.varint());
      break;
    case Type::list:
    case Type::set:
      skip_list();
      break;
    case Type::map:
      skip_map();
      break;
    case Type::structure:
      structure([](int, Type) { return false; });
      break;
  }
}

void ThriftReader::skip_list() {
  enter();
  const uint8_t header = bytes_.byte();
  const Type elements = type_of(header & 15, bytes_.where());
  uint64_t n = header >> 4 == 15 ? bytes_.varint() : header >> 4;
  check(n == 0 || elements != Type::stop, "{}: metadata with a list of no type", bytes_.where());
  for (; n > 0; --n) skip_element(elements);
  --depth_;
}

void ThriftReader::skip_map() {
  enter();
  if (uint64_t n = bytes_.varint(); n > 0) {
    const uint8_t types = bytes_.byte();
    const Type key = type_of(types >> 4, bytes_.where()), value = type_of(types & 15, bytes_.where());
    check(key != Type::stop && value != Type::stop, "{}: metadata with a map of no type", bytes_.where());
    for (; n > 0; --n) skip_element(key), skip_element(value);
  }
  --depth_;
}

void ThriftReader::expect(bool is, const char* what) const {
  check(is, "{}: metadata of another form: {} was expected at byte {}", bytes_.where(), what, position());
}

}  // namespace fathom::parquet
