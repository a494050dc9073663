#include "text/tokenizer.h"
#include "text/utf8.h"

namespace fathom {

std::string StreamDecoder::push(int32_t id) {
  if (skip_special_ && tokenizer_->is_special(id)) return {};
  pending_ += tokenizer_->piece(id);
  return take_complete();
}

std::string StreamDecoder::flush() {
  std::string out = take_complete();
  if (!pending_.empty()) out += replacement_character;
  pending_.clear();
  return out;
}

// Leaves at most the first three bytes of an unfinished character behind.
std::string StreamDecoder::take_complete() {
  std::string out;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const size_t valid = valid_utf8_prefix(rest);
    out += rest.substr(0, valid);
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    const size_t malformed = malformed_utf8_prefix(rest);
    if (malformed == 0) break;
    out += replacement_character;
    rest.remove_prefix(malformed);
  }
  pending_ = std::string(rest);
  return out;
}

}  // namespace fathom
