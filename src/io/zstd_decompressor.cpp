#include <zstd.h>

#include "base/error.h"
#include "io/decompressor.h"

namespace fathom {
namespace {

constexpr int largest_window_log = 31;  // what files made with --long=31 need; the default refuses them

struct FreeStream {
  void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
};

class ZstdDecompressor : public Decompressor {
 public:
  ZstdDecompressor() : stream_(ZSTD_createDStream()) {
    check(stream_ != nullptr, "no memory to decompress");
    ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, largest_window_log);
  }

  // At the end of the input the decoder may still hold output, so it is asked until it makes no progress.
  Progress step(std::span<const std::byte> input, std::span<char> output, const std::string& path) override {
    if (input.empty() && !in_frame_) return {};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    const size_t status = ZSTD_decompressStream(stream_.get(), &out, &in);
    check(!ZSTD_isError(status), "{}: corrupt zstd data: {}", path, ZSTD_getErrorName(status));
    in_frame_ = status != 0;
    check(!in_frame_ || out.pos > 0 || in.pos > 0, "{}: truncated zstd data", path);
    return {in.pos, out.pos};
  }

 private:
  std::unique_ptr<ZSTD_DStream, FreeStream> stream_;
  bool in_frame_ = true;  // an empty file is a truncated frame too
};

}  // namespace

std::unique_ptr<Decompressor> make_zstd_decompressor() {
  return std::make_unique<ZstdDecompressor>();
}

}  // namespace fathom
