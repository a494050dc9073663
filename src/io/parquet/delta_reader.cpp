#include "io/parquet/delta_reader.h"

#include <algorithm>

namespace fathom::parquet {

DeltaReader::DeltaReader(Bytes bytes, const std::string& where) : bytes_(bytes, where), packed_({}, where) {
  constexpr uint64_t most = uint64_t{1} << 31;
  const uint64_t block = bytes_.varint();
  parts_ = bytes_.varint();
  left_ = bytes_.varint();
  value_ = static_cast<uint64_t>(bytes_.zigzag());
  check(parts_ > 0 && block <= most && block % parts_ == 0 && block / parts_ % 8 == 0 && block > 0,
        "{}: delta encoding with blocks of {} values in {} parts", where, block, parts_);
  check(left_ <= most, "{}: delta encoding of {} values", where, left_);
  part_size_ = block / parts_;
}

int64_t DeltaReader::next() {
  check(left_ > 0, "{}: fewer delta-encoded values than are needed", bytes_.where());
  --left_;
  if (is_first_) {
    is_first_ = false;
    return static_cast<int64_t>(value_);
  }
  if (in_part_ == 0) start_part();
  --in_part_;
  value_ += smallest_ + packed_.next(width_);
  return static_cast<int64_t>(value_);
}

void DeltaReader::start_part() {
  if (widths_.empty()) {
    smallest_ = static_cast<uint64_t>(bytes_.zigzag());
    widths_ = bytes_.take(parts_);
  }
  width_ = static_cast<int>(widths_[0]);
  check(width_ <= 64, "{}: delta encoding in {} bits", bytes_.where(), width_);
  widths_ = widths_.subspan(1);
  packed_ = BitReader(bytes_.take(part_size_ / 8 * static_cast<uint64_t>(width_)), bytes_.where());
  in_part_ = part_size_;
}

size_t DeltaReader::encoded_size() const {
  DeltaReader walk = *this;
  for (uint64_t n = left_ > 0 ? left_ - 1 : 0; n > 0; n -= std::min(n, part_size_)) walk.start_part();
  return walk.bytes_.position();
}

}  // namespace fathom::parquet
