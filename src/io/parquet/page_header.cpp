#include "io/parquet/page_header.h"

#include <limits>

#include "io/parquet/thrift_compact.h"

namespace fathom::parquet {
namespace {

using Type = ThriftReader::Type;

class HeaderReader {
 public:
  HeaderReader(Bytes bytes, const std::string& where) : thrift_(bytes, where), where_(where) {}

  PageHeader read() {
    bool has_type = false, has_sizes[2] = {}, described = false;
    int64_t type = 0;
    thrift_.structure([&](int id, Type t) {
      switch (id) {
        case 1:
          return type = number(t, "a page's type"), has_type = true;
        case 2:
          return size(h_.size, t, "uncompressed_page_size"), has_sizes[0] = true;
        case 3:
          return size(h_.compressed_size, t, "compressed_page_size"), has_sizes[1] = true;
        case 4:
          return h_.crc = static_cast<uint32_t>(thrift_.integer(t)), true;
        case 5:
          return described = data(t);
        case 7:
          return described = dictionary(t);
        case 8:
          return described = data_v2(t);
        default:
          return false;
      }
    });
    check(has_type && has_sizes[0] && has_sizes[1], "{}: a page's header is incomplete", where_);
    const bool known = type == 0 || type == 2 || type == 3;  // others are passed over
    check(described || !known, "{}: a page's header is incomplete", where_);
    h_.type = known ? static_cast<PageHeader::Type>(type) : PageHeader::Type::index;
    h_.header_size = thrift_.position();
    return h_;
  }

 private:
  int64_t number(Type t, const char* what) {
    return thrift_.integer(t, 0, std::numeric_limits<int32_t>::max(), what);
  }
  void size(size_t& to, Type t, const char* what) { to = static_cast<size_t>(number(t, what)); }
  Encoding encoding(Type t) { return static_cast<Encoding>(number(t, "an encoding")); }

  bool data(Type type) {
    return thrift_.structure(type, [&](int id, Type t) {
      if (id == 1) return h_.values = number(t, "num_values of a page"), true;
      if (id == 2) return h_.encoding = encoding(t), true;
      if (id == 3) return h_.definition_levels = encoding(t), true;
      if (id == 4) return h_.repetition_levels = encoding(t), true;
      return false;
    });
  }
  bool dictionary(Type type) {
    return thrift_.structure(type, [&](int id, Type t) {
      if (id == 1) return h_.values = number(t, "num_values of a dictionary"), true;
      if (id == 2) return h_.encoding = encoding(t), true;
      return false;
    });
  }
  bool data_v2(Type type) {
    return thrift_.structure(type, [&](int id, Type t) {
      switch (id) {
        case 1:
          return h_.values = number(t, "num_values of a page"), true;
        case 4:
          return h_.encoding = encoding(t), true;
        case 5:
          return size(h_.definition_bytes, t, "definition_levels_byte_length"), true;
        case 6:
          return size(h_.repetition_bytes, t, "repetition_levels_byte_length"), true;
        case 7:
          return h_.is_compressed = thrift_.boolean(t), true;
        default:
          return false;
      }
    });
  }

  ThriftReader thrift_;
  const std::string& where_;
  PageHeader h_;
};

}  // namespace

PageHeader read_page_header(Bytes bytes, const std::string& where) {
  return HeaderReader(bytes, where).read();
}

}  // namespace fathom::parquet
