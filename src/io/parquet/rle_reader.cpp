#include "io/parquet/rle_reader.h"

#include <algorithm>

namespace fathom::parquet {

// Packed numbers come in groups of eight, of which the last may be cut off behind the numbers there are.
void RleReader::start_run() {
  constexpr uint64_t most = uint64_t{1} << 32;
  while (left_ == 0) {
    const uint64_t header = bytes_.varint();
    const uint64_t n = header >> 1;
    check(n <= most, "{}: a run of {} values", bytes_.where(), n);
    is_packed_ = header & 1;
    left_ = is_packed_ ? 8 * n : n;
    if (is_packed_) {
      const uint64_t size = n * static_cast<uint64_t>(width_);
      packed_ = BitReader(bytes_.take(std::min<uint64_t>(size, bytes_.left())), bytes_.where());
      continue;
    }
    value_ = 0;
    const Bytes value = bytes_.take(static_cast<uint64_t>(width_ + 7) / 8);
    std::memcpy(&value_, value.data(), value.size());
  }
}

}  // namespace fathom::parquet
