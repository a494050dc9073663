#include "io/parquet/column_reader.h"

#define ZLIB_CONST
#include <zlib.h>

#include <bit>

namespace fathom::parquet {
namespace {

int bits_of(int most) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(most)));
}

}  // namespace

ColumnReader::ColumnReader(const MappedFile& file, const Leaf& leaf, const ColumnChunk& chunk)
    : file_(file),
      leaf_(leaf),
      where_(fmt::format("{}: column '{}'", file.path(), leaf.path)),
      codec_(chunk.codec, where_),
      position_(chunk.begin),
      end_(chunk.end),
      held_from_(chunk.begin),
      left_in_chunk_(chunk.values) {
  check(!chunk.is_encrypted, "{}: is encrypted, which is not read", where_);
  check(!chunk.is_elsewhere, "{}: lies in another file, which is not read", where_);
  check(leaf.type != PhysicalType::int96, "{}: has type INT96, which is out of use and not read", where_);
  check(chunk.type == leaf.type, "{}: has one type in the schema and another one in its pages", where_);
  next();
}

Value ColumnReader::value() {
  if (!values_)
    values_ = make_value_reader(encoding_, data_, leaf_, has_dictionary_ ? &dictionary_ : nullptr, where_);
  return values_->next();
}

void ColumnReader::next() {
  while (left_in_page_ == 0) {
    if (left_in_chunk_ == 0) {
      at_end_ = true;
      return;
    }
    load_page();
  }
  --left_in_page_;
  if (repetitions_) repetition_ = level(*repetitions_, leaf_.most_repetition, "repetition");
  if (definitions_) definition_ = level(*definitions_, leaf_.most_definition, "definition");
}

int ColumnReader::level(RleReader& levels, int most, const char* what) const {
  const uint32_t level = levels.next();
  check(level <= static_cast<uint32_t>(most), "{}: a {} level of {} where {} is the highest", where_, what,
        level, most);
  return static_cast<int>(level);
}

void ColumnReader::load_page() {
  check(position_ < end_, "{}: its pages end before its last {} values", where_, left_in_chunk_);
  let_go();
  const Bytes chunk = file_.bytes().subspan(position_, end_ - position_);
  const PageHeader header = read_page_header(chunk, where_);
  check(header.compressed_size <= chunk.size() - header.header_size,
        "{}: a page of {} bytes reaches past the column's {}", where_, header.compressed_size, chunk.size());
  const Bytes page = chunk.subspan(header.header_size, header.compressed_size);
  position_ += header.header_size + header.compressed_size;
  if (header.crc)
    check(crc32_z(0, reinterpret_cast<const Bytef*>(page.data()), page.size()) == *header.crc,
          "{}: a page's checksum is wrong: the file is damaged", where_);
  if (header.type == PageHeader::Type::index) return;
  if (header.type == PageHeader::Type::dictionary) return load_dictionary(header, page);
  check(header.values <= left_in_chunk_, "{}: its pages have more values than it", where_);
  left_in_page_ = header.values;
  left_in_chunk_ -= header.values;
  encoding_ = header.encoding;
  values_.reset(), repetitions_.reset(), definitions_.reset();
  if (header.type == PageHeader::Type::data)
    load_data(header, page);
  else
    load_data_v2(header, page);
}

void ColumnReader::load_dictionary(const PageHeader& header, Bytes page) {
  check(!has_dictionary_, "{}: has two dictionaries", where_);
  check(leaf_.type != PhysicalType::boolean, "{}: a dictionary of booleans", where_);
  const Bytes data = codec_.decompress(page, header.size, dictionary_page_);
  check(header.values <= static_cast<int64_t>(data.size()), "{}: a dictionary of {} values in {} bytes",
        where_, header.values, data.size());
  const auto values = make_value_reader(Encoding::plain, data, leaf_, nullptr, where_);
  dictionary_.reserve(static_cast<size_t>(header.values));
  for (int64_t i = 0; i < header.values; ++i) dictionary_.push_back(values->next());
  has_dictionary_ = true;
}

// Levels, each with its size before it, and values, all compressed as one.
void ColumnReader::load_data(const PageHeader& header, Bytes page) {
  ByteReader bytes(codec_.decompress(page, header.size, page_), where_);
  const auto levels = [&](int most, Encoding encoding) -> std::optional<RleReader> {
    if (most == 0) return std::nullopt;
    check(encoding == Encoding::rle,
          "{}: has levels in the deprecated encoding BIT_PACKED, which is not read", where_);
    return RleReader(bytes.take(bytes.little<uint32_t>()), bits_of(most), where_);
  };
  repetitions_ = levels(leaf_.most_repetition, header.repetition_levels);
  definitions_ = levels(leaf_.most_definition, header.definition_levels);
  data_ = bytes.rest();
}

void ColumnReader::load_data_v2(const PageHeader& header, Bytes page) {
  ByteReader bytes(page, where_);
  const auto levels = [&](int most, size_t size) -> std::optional<RleReader> {
    const Bytes encoded = bytes.take(size);
    if (most == 0) return std::nullopt;
    return RleReader(encoded, bits_of(most), where_);
  };
  repetitions_ = levels(leaf_.most_repetition, header.repetition_bytes);
  definitions_ = levels(leaf_.most_definition, header.definition_bytes);
  const size_t size = header.repetition_bytes + header.definition_bytes;
  check(size <= header.size, "{}: a page of {} bytes with {} of levels", where_, header.size, size);
  data_ = header.is_compressed ? codec_.decompress(bytes.rest(), header.size - size, page_) : bytes.rest();
}

// What was read does not stay in memory: a column may be large.
void ColumnReader::let_go() {
  constexpr uint64_t most = uint64_t{4} << 20;
  if (position_ - held_from_ < most) return;
  file_.let_go(held_from_, position_);
  held_from_ = position_;
}

}  // namespace fathom::parquet
