// Generated text while it grows: whole UTF-8 characters, cut before the first stop string. What may still
// become a stop string is held back, so that no part of one is ever shown.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace fathom {

class TextStream {
 public:
  // The tokenizer must outlive this object.
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings);

  // The text that can be shown now. After a stop string nothing more comes.
  std::string push(int32_t token);
  // The end: everything held back, and U+FFFD for an unfinished character.
  std::string flush();
  bool stopped() const { return stopped_; }

 private:
  bool cut_at_stop();
  size_t possible_stop() const;

  StreamDecoder decoder_;
  std::vector<std::string> stop_strings_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace fathom
