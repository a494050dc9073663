// What stands before each page of a column chunk.
#pragma once
#include <optional>

#include "io/parquet/metadata.h"

namespace fathom::parquet {

struct PageHeader {
  enum class Type { data = 0, index = 1, dictionary = 2, data_v2 = 3 };
  Type type = Type::index;
  size_t header_size = 0, size = 0;  // bytes of the header, and of the page when decompressed
  size_t compressed_size = 0;
  std::optional<uint32_t> crc;  // of the page as it lies in the file
  int64_t values = 0;           // nulls and empty lists count
  Encoding encoding = Encoding::plain;
  Encoding definition_levels = Encoding::rle, repetition_levels = Encoding::rle;
  // data_v2: levels lie before the data and are not compressed
  size_t definition_bytes = 0, repetition_bytes = 0;
  bool is_compressed = true;
};

PageHeader read_page_header(Bytes bytes, const std::string& where);

}  // namespace fathom::parquet
