// How often each piece of the pre-tokenizer occurs in a corpus: all that the vocabulary trainer looks at.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/pre_tokenizer.h"

namespace fathom {

class WordCounts {
 public:
  // The pre-tokenizer must cut at every newline, as DeepSeek's does, for documents are counted in blocks of
  // lines. It must outlive this object.
  WordCounts(const PreTokenizer& pre_tokenizer, int threads);

  // Malformed UTF-8 is left out.
  void add(std::string_view document);
  // Every piece with its count, sorted by the piece.
  std::vector<std::pair<std::string, int64_t>> take();

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using Map = std::unordered_map<std::string, int64_t, Hash, std::equal_to<>>;
  void count_pending();
  void count(std::string_view text, Map& map, RegexScratch& scratch) const;

  const PreTokenizer& pre_tokenizer_;
  std::vector<Map> maps_;  // one for each thread
  std::vector<std::string> pending_;
  size_t pending_bytes_ = 0;
};

}  // namespace fathom
