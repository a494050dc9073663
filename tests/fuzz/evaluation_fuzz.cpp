// Any bytes as an evaluation file, once for every kind of name, and as a training text: read to the end or
// refused with an Error; a text is found in itself, and every word lies within it.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/contamination.h"
#include "data/evaluation_text.h"
#include "data/quality.h"

namespace {

void write(const std::string& path, const uint8_t* data, size_t size) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
}

void judge(const fathom::WordSplitter& splitter, std::string_view text, const std::string& place) {
  std::vector<fathom::Word> words;
  splitter.split(text, words);
  size_t last = 0;
  for (const fathom::Word& word : words) {
    if (word.begin < last || word.end <= word.begin || word.end > text.size()) std::abort();
    last = word.end;
  }
  fathom::Contamination contamination(splitter, 13);
  contamination.add(text, place);
  if ((contamination.too_short() == 0) != contamination.find(words).has_value()) std::abort();
  fathom::RepetitionScratch scratch;
  fathom::QualityFilter().failure(text, words, scratch);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const fathom::WordSplitter splitter;
  static const std::string stem = "/tmp/fathom_evaluation_fuzz_" + std::to_string(::getpid());
  for (const char* ending : {".jsonl", ".json", ".csv"}) {
    const std::string path = stem + ending;
    write(path, data, size);
    try {
      fathom::read_evaluation_texts(
          {path}, [](std::string_view text, const std::string& place) { judge(splitter, text, place); });
    } catch (const fathom::Error&) {
    }
    ::unlink(path.c_str());
  }
  return 0;
}
