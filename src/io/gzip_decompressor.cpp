#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "io/decompressor.h"

namespace fathom {
namespace {

constexpr size_t block_size = 1 << 18;
constexpr int window_bits = 15 + 16;  // the largest window; a gzip header is expected

class GzipDecompressor : public Decompressor {
 public:
  GzipDecompressor() { check(inflateInit2(&stream_, window_bits) == Z_OK, "no memory to decompress"); }
  ~GzipDecompressor() override { inflateEnd(&stream_); }
  GzipDecompressor(const GzipDecompressor&) = delete;

  // A file is one member after another, as gzip and bgzip write them.
  Progress step(std::span<const std::byte> input, std::span<char> output, const std::string& path) override {
    if (input.empty() && !in_member_) return {};
    if (!in_member_) inflateReset(&stream_);
    const auto in = static_cast<uInt>(std::min(input.size(), block_size)),
               out = static_cast<uInt>(std::min(output.size(), block_size));
    stream_.next_in = reinterpret_cast<const Bytef*>(input.data()), stream_.avail_in = in;
    stream_.next_out = reinterpret_cast<Bytef*>(output.data()), stream_.avail_out = out;
    const int status = inflate(&stream_, Z_NO_FLUSH);
    check(status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR, "{}: corrupt gzip data: {}",
          path, stream_.msg ? stream_.msg : "unknown error");
    in_member_ = status != Z_STREAM_END;
    const Progress done{in - stream_.avail_in, out - stream_.avail_out};
    check(!in_member_ || done.read > 0 || done.written > 0, "{}: truncated gzip data", path);
    return done;
  }

 private:
  z_stream stream_{};
  bool in_member_ = true;  // an empty file is a truncated member too
};

}  // namespace

std::unique_ptr<Decompressor> make_gzip_decompressor() {
  return std::make_unique<GzipDecompressor>();
}

}  // namespace fathom
