// fathom train-tokenizer FILES...: a new byte-level BPE vocabulary from text.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "io/lines.h"
#include "text/tokenizer.h"
#include "text/tokenizer_trainer.h"

namespace fathom {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string out, text_field = "text";
  TokenizerTraining training;
};

void add_file(TokenizerTrainer& trainer, const std::string& path, const std::string& field) {
  DocumentReader reader(path, field);
  Progress progress("read " + path, reader.bytes_total(), "bytes");
  std::string document;
  while (reader.next(document)) {
    trainer.add(document);
    progress.update(reader.bytes_consumed());
  }
}

void run(Options options) {
  options.training.threads = hardware_threads();
  const size_t wanted = options.training.vocab_size;
  TokenizerTrainer trainer(options.training);
  for (const std::string& path : options.files) add_file(trainer, path, options.text_field);
  TokenizerFiles files;
  {
    Progress progress("merge", static_cast<int64_t>(wanted), "tokens");
    files = trainer.train([&progress](size_t tokens) { progress.update(static_cast<int64_t>(tokens)); });
  }
  const int32_t size =
      Tokenizer::parse(files.tokenizer_json, "new tokenizer", files.tokenizer_config_json).size();
  files.save(options.out);
  log::info("{}: {} tokens", options.out, size);
  if (static_cast<size_t>(size) < wanted)
    log::warn("the text has too few frequent pairs for {} tokens", wanted);
}

}  // namespace

void add_train_tokenizer(CLI::App& app) {
  auto options = std::make_shared<Options>();
  TokenizerTraining& training = options->training;
  CLI::App* command = app.add_subcommand("train-tokenizer", "Learn a byte-level BPE vocabulary from text");
  command->add_option("files", options->files, "text: .txt, .jsonl, each also as .zst")->required();
  command->add_option("-o,--out", options->out, "folder for tokenizer.json and tokenizer_config.json")
      ->required();
  command->add_option("--vocab-size", training.vocab_size, "all tokens, the special ones among them")
      ->capture_default_str()
      ->check(CLI::Range(258, 1 << 22));
  command->add_option("--min-frequency", training.min_frequency, "merge only pairs at least this frequent")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--special", training.more_special, "further special tokens, placed at the end");
  command->add_option("--text-field", options->text_field, "the field of a .jsonl line with the text")
      ->capture_default_str();
  command->callback([options] { run(*options); });
}

}  // namespace fathom
