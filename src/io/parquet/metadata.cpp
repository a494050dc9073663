#include "io/parquet/metadata.h"

#include <limits>

#include "io/parquet/schema_element.h"
#include "io/parquet/thrift_compact.h"

namespace fathom::parquet {
namespace {

using Type = ThriftReader::Type;

constexpr std::string_view magic = "PAR1", encrypted_magic = "PARE";
constexpr int64_t most = std::numeric_limits<int64_t>::max();

// Rows and values of a column may be far more than bytes: a constant column has one run. This bounds how long
// a small file can keep its reader busy.
int64_t most_values(size_t file_size) {
  return (int64_t{1} << 20) + 4096 * static_cast<int64_t>(file_size);
}

class FooterReader {
 public:
  FooterReader(Bytes footer, size_t file_size, const std::string& path)
      : path_(path), thrift_(footer, path_), data_end_(static_cast<int64_t>(file_size - footer.size() - 8)) {}

  Metadata read() {
    Metadata m;
    m.rows = -1;
    thrift_.structure([&](int id, Type type) {
      if (id == 2)
        return thrift_.list(type, Type::structure, [&] { m.schema.push_back(read_schema_element(thrift_)); });
      if (id == 3) return m.rows = thrift_.integer(type, 0, most_rows(), "num_rows"), true;
      if (id == 4)
        return thrift_.list(type, Type::structure, [&] { m.groups.push_back(group(m.groups.size())); });
      check(id != 8, "{}: the file is encrypted, which is not read", path_);
      return false;
    });
    check(m.rows >= 0 && !m.schema.empty(), "{}: the footer has no schema or no number of rows", path_);
    int64_t rows = 0;
    for (const RowGroup& g : m.groups) rows += g.rows;
    check(rows == m.rows, "{}: the footer says {} rows, its row groups have {}", path_, m.rows, rows);
    return m;
  }

 private:
  int64_t most_rows() const { return most_values(static_cast<size_t>(data_end_)); }

  RowGroup group(size_t index) {
    RowGroup g;
    g.rows = -1;
    thrift_.structure([&](int id, Type type) {
      if (id == 1) return thrift_.list(type, Type::structure, [&] { g.columns.push_back(chunk()); });
      if (id == 3) return g.rows = thrift_.integer(type, 0, most_rows(), "num_rows of a row group"), true;
      return false;
    });
    check(g.rows >= 0, "{}: row group {} has no number of rows", path_, index);
    return g;
  }

  ColumnChunk chunk() {
    ColumnChunk c;
    bool described = false;
    thrift_.structure([&](int id, Type type) {
      if (id == 1) return c.is_elsewhere = !thrift_.binary(type).empty(), true;
      if (id == 3) return describe(c, type), described = true;
      if (id == 8 || id == 9) c.is_encrypted = true;
      return false;
    });
    check(described || c.is_encrypted, "{}: a column chunk has no metadata", path_);
    return c;
  }

  // ColumnMetaData. A dictionary lies before the data; 0 as its place stands for none with some writers.
  void describe(ColumnChunk& c, Type type) {
    int64_t data = -1, dictionary = 0, size = -1;
    c.values = -1;
    thrift_.structure(type, [&](int id, Type t) {
      const auto number = [&](const char* what) { return thrift_.integer(t, 0, most, what); };
      switch (id) {
        case 1:
          return c.type = static_cast<PhysicalType>(thrift_.integer(t, 0, 7, "a column's type")), true;
        case 4:
          return c.codec = static_cast<Codec>(thrift_.integer(t, 0, 7, "a column's codec")), true;
        case 5:
          return c.values = thrift_.integer(t, 0, most_rows(), "num_values of a column"), true;
        case 7:
          return size = number("total_compressed_size"), true;
        case 9:
          return data = number("data_page_offset"), true;
        case 11:
          return dictionary = number("dictionary_page_offset"), true;
        default:
          return false;
      }
    });
    check(data >= 0 && size >= 0 && c.values >= 0 && c.type != PhysicalType::none,
          "{}: a column chunk's metadata is incomplete", path_);
    const int64_t begin = dictionary > 0 && dictionary < data ? dictionary : data;
    check(begin <= data_end_ && size <= data_end_ - begin,
          "{}: a column chunk of {} bytes at {} lies outside of the file's {} bytes of data", path_, size,
          begin, data_end_);
    c.begin = static_cast<uint64_t>(begin), c.end = static_cast<uint64_t>(begin + size);
  }

  const std::string path_;
  ThriftReader thrift_;
  int64_t data_end_;  // where the footer begins
};

}  // namespace

std::string_view name_of(Codec codec) {
  constexpr std::string_view names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
  return names[static_cast<size_t>(codec)];
}

Metadata read_metadata(Bytes file, const std::string& path) {
  check(file.size() >= 12 && (text_of(file).starts_with(magic) || text_of(file).starts_with(encrypted_magic)),
        "{}: is no Parquet file: it does not begin with {}", path, magic);
  check(!text_of(file).ends_with(encrypted_magic), "{}: the file is encrypted, which is not read", path);
  check(text_of(file).ends_with(magic), "{}: the file does not end with {}: it is cut off, or not finished",
        path, magic);
  const size_t most_footer = file.size() - 12;
  const uint32_t size = ByteReader(file.subspan(file.size() - 8), path).little<uint32_t>();
  check(size <= most_footer, "{}: a footer of {} bytes in a file of {}", path, size, file.size());
  return FooterReader(file.subspan(file.size() - 8 - size, size), file.size(), path).read();
}

}  // namespace fathom::parquet
