// fathom tokenize MODEL: text to token ids and back, on standard output.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"
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

std::string input_text(const Options& options) {
  if (options.text) return *options.text;
  if (options.file) return read_file(*options.file);
  return read_input();
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
  write_output(out);
}

void run(const Options& options) {
  check_model_folder(options.model, "tokenizer.json");
  const Tokenizer tokenizer = Tokenizer::load(options.model);
  const std::string input = input_text(options);
  if (options.decode) {
    const std::vector<int32_t> ids = parse_token_ids(options.file.value_or("the input"), input);
    return write_output(tokenizer.decode(ids, options.skip_special));
  }
  const std::vector<int32_t> ids =
      tokenizer.encode(input, {.add_special = !options.no_bos, .parse_special = !options.no_special});
  if (options.count)
    print_output("{}\n", ids.size());
  else
    print_ids(tokenizer, ids, options.pieces);
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
