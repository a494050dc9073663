#include "io/lines.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"

namespace fathom {
namespace {

constexpr size_t block_size = 1 << 18;
constexpr size_t longest_line = size_t{1} << 30;  // a compressed file can claim any length

}  // namespace

LineReader::LineReader(const std::string& path) : source_(path) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  while (buffer_.size() < mark.size() && fill()) {
  }
  check(!buffer_.starts_with("\xff\xfe") && !buffer_.starts_with("\xfe\xff"),
        "{}: is UTF-16 text; convert it to UTF-8", path);
  had_byte_order_mark_ = buffer_.starts_with(mark);
  if (had_byte_order_mark_) at_ = mark.size();
}

// Reads on behind what is in the buffer.
bool LineReader::fill() {
  const size_t end = buffer_.size();
  buffer_.resize(end + block_size);
  buffer_.resize(end + source_.read(buffer_.data() + end, block_size));
  return buffer_.size() > end;
}

bool LineReader::next(std::string& line) {
  size_t searched = at_;
  for (;;) {
    size_t end = buffer_.find('\n', searched);
    if (end == std::string::npos) {
      // Keep the unfinished line and read on behind it.
      buffer_.erase(0, at_);
      at_ = 0;
      searched = end = buffer_.size();
      check(end <= longest_line, "{}:{}: line longer than {} bytes", source_.path(), line_number_ + 1,
            longest_line);
      if (fill()) continue;
      if (buffer_.empty()) return false;
    }
    ++line_number_;
    whole_ = end < buffer_.size();
    const size_t length = end - at_ - (end > at_ && buffer_[end - 1] == '\r' ? 1 : 0);
    line.assign(buffer_, at_, length);
    at_ = std::min(end + 1, buffer_.size());
    return true;
  }
}

void LineReader::rest(std::string& text) {
  text.assign(buffer_, at_);
  buffer_.clear();
  at_ = 0;
  for (size_t used = text.size();;) {
    // The string grows by doubling; each read fills what it has.
    text.resize(std::max(text.capacity(), used + block_size));
    const size_t n = source_.read(text.data() + used, text.size() - used);
    used += n;
    if (n > 0) continue;
    text.resize(used);
    return;
  }
}

}  // namespace fathom
