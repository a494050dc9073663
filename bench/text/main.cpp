// Tokenizer speed: text_bench MODEL TEXT. Encodes TEXT on one thread, in blocks of whole lines, and trains
// an 8192-token vocabulary from it. bench/peers/tokenizers_encode.py prints the same rows for
// Hugging Face's tokenizers.
#include <fmt/format.h>

#include <chrono>
#include <string>

#include "base/error.h"
#include "base/threads.h"
#include "io/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_trainer.h"

namespace fathom {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void row(const std::string& name, double bytes, double seconds, const std::string& note) {
  fmt::print("{:<28}{:>9.2f} s{:>10.1f} MB/s   {}\n", name, seconds, bytes / seconds / 1e6, note);
}

// Whole lines, about `size` bytes at a time, until the text is done.
template <class Use>
void for_blocks(const std::string& text, size_t size, const Use& use) {
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', std::min(begin + size, text.size() - 1));
    end = end == std::string::npos ? text.size() : end + 1;
    use(std::string_view(text).substr(begin, end - begin));
    begin = end;
  }
}

void encode_rows(const Tokenizer& tokenizer, const std::string& text) {
  for (const size_t block : {size_t{1}, size_t{4096}, size_t{1} << 20}) {
    size_t ids = 0;
    const auto start = std::chrono::steady_clock::now();
    for_blocks(text, block,
               [&](std::string_view part) { ids += tokenizer.encode(part, {.add_special = false}).size(); });
    const std::string name = block == 1 ? "encode, a line each" : fmt::format("encode, {} bytes each", block);
    row(name, static_cast<double>(text.size()), seconds_since(start), fmt::format("{} ids", ids));
  }
  const std::vector<int32_t> ids = tokenizer.encode(text, {.add_special = false});
  const auto start = std::chrono::steady_clock::now();
  check(tokenizer.decode(ids) == text, "the text does not come back");
  row("decode", static_cast<double>(text.size()), seconds_since(start), "");
}

void worst_case_rows(const Tokenizer& tokenizer) {
  const std::pair<const char*, std::string> cases[] = {{"1 MB of 'a'", std::string(1 << 20, 'a')},
                                                       {"1 MB of spaces", std::string(1 << 20, ' ')},
                                                       {"1 MB of '='", std::string(1 << 20, '=')}};
  for (const auto& [name, text] : cases) {
    const auto start = std::chrono::steady_clock::now();
    const size_t ids = tokenizer.encode(text).size();
    row(name, static_cast<double>(text.size()), seconds_since(start), fmt::format("{} ids", ids));
  }
}

void train_row(const std::string& text) {
  const auto start = std::chrono::steady_clock::now();
  TokenizerTrainer trainer({.threads = hardware_threads()});
  trainer.add(text);
  trainer.train();
  row("train 8192 tokens", static_cast<double>(text.size()), seconds_since(start),
      fmt::format("{} threads", hardware_threads()));
}

int run(int argc, char** argv) {
  check(argc == 3, "usage: text_bench MODEL_FOLDER_OR_TOKENIZER_JSON TEXT_FILE");
  const auto start = std::chrono::steady_clock::now();
  const Tokenizer tokenizer = Tokenizer::load(argv[1]);
  fmt::print("load {:.3f} s\n", seconds_since(start));
  const std::string text = read_file(argv[2]);
  encode_rows(tokenizer, text);
  worst_case_rows(tokenizer);
  train_row(text);
  return 0;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  try {
    return fathom::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "text_bench: {}\n", error.what());
    return 1;
  }
}
