// fathom tokenize MODEL: text to token ids and back, on standard output.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "io/file.h"
#include "io/json.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace fathom {
namespace {

struct Options {
  std::string model;
  std::optional<std::string> text, file;
  bool decode = false, skip_special = false, pieces = false, count = false, no_bos = false,
       no_special = false;
};

std::string read_input(const Options& options) {
  if (options.text) return *options.text;
  if (options.file) return read_file(*options.file);
  return {std::istreambuf_iterator<char>(std::cin), {}};
}

// Numbers with spaces, newlines, commas or brackets between them.
std::vector<int32_t> parse_ids(const std::string& text) {
  constexpr const char* between = " \t\r\n,[]";
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(between, at)) != std::string::npos;) {
    const size_t end = std::min(text.find_first_of(between, at), text.size());
    int32_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + at, text.data() + end, id);
    check(error == std::errc() && stop == text.data() + end && id >= 0, "'{}' is not a token id",
          text.substr(at, std::min<size_t>(end - at, 40)));
    ids.push_back(id);
    at = end;
  }
  return ids;
}

// A token as a person can read it: a JSON string, or its bytes in hex if they are not whole characters.
std::string readable(std::string_view piece) {
  if (valid_utf8_prefix(piece) == piece.size()) return json_quoted(piece);
  std::string hex;
  for (const char c : piece) hex += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return hex;
}

void print_ids(const Tokenizer& tokenizer, const std::vector<int32_t>& ids, bool pieces) {
  std::string out;
  for (const int32_t id : ids) {
    if (pieces)
      out += fmt::format("{}\t{}\n", id, readable(tokenizer.piece(id)));
    else
      out += fmt::format("{}{}", out.empty() ? "" : " ", id);
  }
  if (!pieces) out += '\n';
  std::cout << out;
}

void run(const Options& options) {
  const Tokenizer tokenizer = Tokenizer::load(options.model);
  const std::string input = read_input(options);
  if (options.decode) {
    const std::vector<int32_t> ids = parse_ids(input);
    std::cout << tokenizer.decode(ids, options.skip_special);
  } else {
    const std::vector<int32_t> ids =
        tokenizer.encode(input, {.add_special = !options.no_bos, .parse_special = !options.no_special});
    if (options.count)
      std::cout << ids.size() << '\n';
    else
      print_ids(tokenizer, ids, options.pieces);
  }
  std::cout.flush();
  check(std::cout.good(), "cannot write to standard output");
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("tokenize", "Turn text into token ids, or ids into text");
  command->add_option("model", options->model, "model folder or tokenizer.json")->required();
  CLI::Option* text = command->add_option("-t,--text", options->text,
                                          "the text (or ids); standard input if neither is given");
  command->add_option("-f,--file", options->file, "a file with the text (or ids)")->excludes(text);
  CLI::Option* decode =
      command->add_flag("-d,--decode", options->decode, "the input is token ids; print their text");
  command->add_flag("--skip-special", options->skip_special, "with --decode: leave special tokens out")
      ->needs(decode);
  command->add_flag("--pieces", options->pieces, "print one token a line: id, tab, piece")->excludes(decode);
  command->add_flag("--count", options->count, "print only the number of tokens")->excludes(decode);
  command->add_flag("--no-bos", options->no_bos, "add no BOS (or EOS) where the tokenizer would")
      ->excludes(decode);
  command->add_flag("--no-special", options->no_special, "read special tokens in the text as ordinary text")
      ->excludes(decode);
  command->callback([options] { run(*options); });
}

}  // namespace fathom
