// What a Parquet file says of itself in its footer: the schema, and where the columns of each group of rows
// lie. Names and numbers as in the format's parquet.thrift.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/parquet/byte_reader.h"

namespace fathom::parquet {

enum class PhysicalType { boolean, int32, int64, int96, float32, float64, byte_array, fixed_bytes, none };
enum class Repetition { required, optional, repeated };
enum class Encoding {
  plain = 0,
  plain_dictionary = 2,
  rle = 3,
  bit_packed = 4,
  delta_binary_packed = 5,
  delta_length_byte_array = 6,
  delta_byte_array = 7,
  rle_dictionary = 8,
  byte_stream_split = 9
};
enum class Codec { uncompressed, snappy, gzip, lzo, brotli, lz4, zstd, lz4_raw };
std::string_view name_of(Codec codec);

// What a column's values stand for: converted_type and logicalType.
struct Annotation {
  enum class Meaning {
    none,
    text,
    list,
    map,
    map_entry,
    unsigned_integer,
    decimal,
    date,
    time,
    timestamp,
    uuid,
    float16,
    interval,
    nothing
  };
  Meaning meaning = Meaning::none;
  int64_t units = 0;    // time, timestamp: a second has so many
  bool is_utc = false;  // timestamp
  int scale = 0;        // decimal: digits behind the point
};

struct SchemaElement {
  std::string name;
  PhysicalType type = PhysicalType::none;  // none: a group of fields
  int length = 0;                          // bytes, of fixed_bytes
  Repetition repetition = Repetition::required;
  int64_t children = 0;
  Annotation annotation;
};

// A column of a group of rows: pages in bytes [begin, end) of the file.
struct ColumnChunk {
  PhysicalType type = PhysicalType::none;
  Codec codec = Codec::uncompressed;
  int64_t values = 0;  // nulls and empty lists count
  uint64_t begin = 0, end = 0;
  bool is_encrypted = false, is_elsewhere = false;  // in another file
};

struct RowGroup {
  int64_t rows = 0;
  std::vector<ColumnChunk> columns;  // the schema's leaves in order
};

struct Metadata {
  std::vector<SchemaElement> schema;  // depth first, the root before all
  int64_t rows = 0;
  std::vector<RowGroup> groups;
};

// Of the whole file's bytes. Error when it is no Parquet file, is cut off or is encrypted, and for numbers
// that do not fit its size.
Metadata read_metadata(Bytes file, const std::string& path);

}  // namespace fathom::parquet
