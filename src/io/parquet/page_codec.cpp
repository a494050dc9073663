#include "io/parquet/page_codec.h"

#include <snappy.h>

#include <algorithm>

namespace fathom::parquet {
namespace {

void at_least(std::vector<std::byte>& buffer, size_t size) {
  if (buffer.size() < size) buffer.resize(size);
}

}  // namespace

PageCodec::PageCodec(Codec codec, const std::string& where) : codec_(codec), where_(where) {
  if (codec == Codec::gzip) stream_ = make_gzip_decompressor();
  if (codec == Codec::zstd) stream_ = make_zstd_decompressor();
  check(stream_ || codec == Codec::uncompressed || codec == Codec::snappy,
        "{}: is compressed by {}; UNCOMPRESSED, SNAPPY, GZIP and ZSTD are read", where, name_of(codec));
}

Bytes PageCodec::decompress(Bytes compressed, size_t size, std::vector<std::byte>& buffer) {
  if (codec_ == Codec::uncompressed) {
    check(compressed.size() == size, "{}: a page of {} bytes that says it has {}", where_, compressed.size(),
          size);
    return compressed;
  }
  if (size == 0) return {};  // some writers then leave out even what an empty page is compressed to
  if (codec_ == Codec::snappy)
    unsnap(compressed, size, buffer);
  else
    stream(compressed, size, buffer);
  return {buffer.data(), size};
}

// The longest copy is of 64 bytes and takes 2 at least, but for runs, where it takes 3.
void PageCodec::unsnap(Bytes compressed, size_t size, std::vector<std::byte>& buffer) const {
  constexpr size_t most_ratio = 64;
  const char* in = reinterpret_cast<const char*>(compressed.data());
  size_t says = 0;
  check(snappy::GetUncompressedLength(in, compressed.size(), &says) && says == size &&
            size / most_ratio <= compressed.size(),
        "{}: corrupt Snappy data", where_);
  at_least(buffer, size);
  check(snappy::RawUncompress(in, compressed.size(), reinterpret_cast<char*>(buffer.data())),
        "{}: corrupt Snappy data", where_);
}

void PageCodec::stream(Bytes compressed, size_t size, std::vector<std::byte>& buffer) {
  constexpr size_t usual_ratio = 16, least = 1 << 16;
  at_least(buffer, std::min(size, compressed.size() * usual_ratio + least));
  size_t written = 0;
  for (;;) {
    if (written == buffer.size() && written < size) buffer.resize(std::min(size, 2 * written));
    const std::span<char> room(reinterpret_cast<char*>(buffer.data()) + written,
                               std::min(buffer.size(), size) - written);
    const Decompressor::Progress done = stream_->step(compressed, room, where_);
    compressed = compressed.subspan(done.read);
    written += done.written;
    if (done.read == 0 && done.written == 0) break;
  }
  check(written == size && compressed.empty(), "{}: a page of another size than the {} bytes it says", where_,
        size);
}

}  // namespace fathom::parquet
