#include "data/words.h"

#include <xxhash.h>

#include <array>
#include <string>

#include "text/utf8.h"

namespace fathom {
namespace {

constexpr uint16_t letter = 1, word_part = 2, spaceless = 4, latin = 8;

const std::array<std::string, 4> classes = {
    R"([\p{L}])", R"([\p{L}\p{M}\p{N}])",
    R"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])", R"([\p{Latin}])"};

uint32_t lower(uint32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xc0 && c <= 0xde) return c == 0xd7 ? c : c + 32;
  if (c >= 0x391 && c <= 0x3a9) return c + 32;
  if (c >= 0x410 && c <= 0x42f) return c + 32;
  if (c >= 0x400 && c <= 0x40f) return c + 80;
  return c;
}

// A word while its characters come in.
class Open {
 public:
  explicit Open(std::string_view text) : text_(text) {}

  bool empty() const { return word_.characters == 0; }
  void add(size_t at, CharClasses::Character c) {
    if (empty()) {
      word_.begin = static_cast<uint32_t>(at);
      word_.latin = (c.bits & latin) != 0;
    }
    word_.end = static_cast<uint32_t>(at) + static_cast<uint32_t>(c.length);
    word_.has_letter |= (c.bits & letter) != 0;
    word_.spaceless |= (c.bits & spaceless) != 0;
    ++word_.characters;
  }
  void close(std::vector<Word>& words) {
    if (empty()) return;
    word_.hash = word_hash(normalised());
    words.push_back(word_);
    word_ = {};
  }

 private:
  std::string_view normalised() {
    const size_t n = word_.end - word_.begin;
    if (n == word_.characters) {  // all of ASCII
      buffer_.resize(n);
      for (size_t i = 0; i < n; ++i)
        buffer_[i] = static_cast<char>(lower(static_cast<unsigned char>(text_[word_.begin + i])));
      return buffer_;
    }
    buffer_.clear();
    for (const char* p = text_.data() + word_.begin; p < text_.data() + word_.end;) {
      const CodePoint c = decode_valid_utf8(p);
      append_utf8(buffer_, lower(c.value));
      p += c.length;
    }
    return buffer_;
  }

  std::string_view text_;
  Word word_{};
  std::string buffer_;
};

}  // namespace

WordSplitter::WordSplitter() : classes_(classes, "words") {}

void WordSplitter::split(std::string_view text, std::vector<Word>& words) const {
  words.clear();
  Open open(text);
  for (size_t at = 0; at < text.size();) {
    const size_t valid_end = at + valid_utf8_prefix(text.substr(at));
    while (at < valid_end) {
      const CharClasses::Character c = classes_.at(text.data() + at);
      const bool alone = (c.bits & spaceless) != 0;
      if (alone || !(c.bits & word_part)) open.close(words);
      if (c.bits & word_part) open.add(at, c);
      if (alone) open.close(words);
      at += static_cast<size_t>(c.length);
    }
    open.close(words);
    if (at < text.size()) ++at;  // a malformed byte
  }
}

uint64_t gram_hash(const Word* first, size_t n) {
  return longer_gram_hash(n, first, n);
}

uint64_t longer_gram_hash(uint64_t hash, const Word* next, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    hash = (hash ^ next[i].hash) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

uint64_t word_hash(std::string_view word) {
  return XXH3_64bits(word.data(), word.size());
}

}  // namespace fathom
