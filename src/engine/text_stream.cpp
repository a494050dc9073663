#include "engine/text_stream.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "text/utf8.h"

namespace fathom {

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings)
    : decoder_(tokenizer), stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) {
    check(!stop.empty(), "a stop string is empty");
    check(valid_utf8_prefix(stop) == stop.size(), "a stop string is not valid UTF-8");
  }
}

std::string TextStream::push(int32_t token) {
  if (stopped_) return {};
  held_ += decoder_.push(token);
  if (cut_at_stop()) return std::exchange(held_, {});
  const size_t ready = held_.size() - possible_stop();
  std::string out = held_.substr(0, ready);
  held_.erase(0, ready);
  return out;
}

std::string TextStream::flush() {
  if (stopped_) return {};
  held_ += decoder_.flush();
  cut_at_stop();
  return std::exchange(held_, {});
}

// Cuts at the stop string that starts first.
bool TextStream::cut_at_stop() {
  size_t at = std::string::npos;
  for (const std::string& stop : stop_strings_) at = std::min(at, held_.find(stop));
  if (at == std::string::npos) return false;
  held_.resize(at);
  return stopped_ = true;
}

// Bytes at the end that could be the beginning of a stop string.
size_t TextStream::possible_stop() const {
  size_t longest = 0;
  for (const std::string& stop : stop_strings_)
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n)
      if (held_.ends_with(std::string_view(stop).substr(0, n))) longest = n;
  return longest;
}

}  // namespace fathom
