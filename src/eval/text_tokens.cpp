#include "eval/text_tokens.h"

#include "base/error.h"
#include "io/documents.h"

namespace fathom {

std::vector<int32_t> text_tokens(const std::string& path, const std::string& field,
                                 const Tokenizer& tokenizer, int64_t most) {
  const auto format = text_format_of(path);
  check(format.has_value(),
        "{}: the name ends in none of .txt, .jsonl and .ndjson, each also .zst or .gz, and .parquet", path);
  DocumentReader reader(path, *format, field);
  std::vector<int32_t> tokens;
  std::string document;
  while (static_cast<int64_t>(tokens.size()) < most && reader.next(document)) {
    if (document.empty()) continue;
    const auto ids = tokenizer.encode(document + "\n", {.add_special = false, .parse_special = false});
    tokens.insert(tokens.end(), ids.begin(), ids.end());
  }
  check(!tokens.empty(), "{}: there is no text in it", path);
  if (static_cast<int64_t>(tokens.size()) > most) tokens.resize(static_cast<size_t>(most));
  return tokens;
}

}  // namespace fathom
