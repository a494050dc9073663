// Decompression of pages. A page says how large it becomes; memory is taken for that only as far as its bytes
// can fill it, so that a small file cannot ask for much.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "io/decompressor.h"
#include "io/parquet/metadata.h"

namespace fathom::parquet {

class PageCodec {
 public:
  // Error for a codec that is not read. `where` must outlive this object.
  PageCodec(Codec codec, const std::string& where);

  // The `size` bytes that `compressed` stands for, in `buffer` or, where nothing is compressed, where they
  // are.
  Bytes decompress(Bytes compressed, size_t size, std::vector<std::byte>& buffer);

 private:
  void unsnap(Bytes compressed, size_t size, std::vector<std::byte>& buffer) const;
  void stream(Bytes compressed, size_t size, std::vector<std::byte>& buffer);

  Codec codec_;
  const std::string& where_;
  std::unique_ptr<Decompressor> stream_;  // of gzip and zstd
};

}  // namespace fathom::parquet
