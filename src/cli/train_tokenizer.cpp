#include "cli/train_tokenizer.h"

#include <CLI/CLI.hpp>

#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"
#include "io/lines.h"
#include "text/tokenizer.h"
#include "text/tokenizer_trainer.h"

namespace fathom {
namespace {

void add_file(TokenizerTrainer& trainer, const std::string& path, const std::string& field) {
  DocumentReader reader(path, field);
  Progress progress("read " + path, reader.bytes_total(), "bytes");
  std::string document;
  while (reader.next(document)) {
    trainer.add(document);
    progress.update(reader.bytes_consumed());
  }
}

void run(const CLI::App& command) {
  TokenizerTraining training;
  training.vocab_size = command.get_option("--vocab-size")->as<size_t>();
  training.min_frequency = command.get_option("--min-frequency")->as<int64_t>();
  training.threads = hardware_threads();
  if (command.count("--special"))
    training.more_special = command.get_option("--special")->as<std::vector<std::string>>();
  const auto folder = command.get_option("--out")->as<std::string>();
  TokenizerTrainer trainer(training);
  for (const auto& path : command.get_option("files")->as<std::vector<std::string>>())
    add_file(trainer, path, command.get_option("--text-field")->as<std::string>());
  TokenizerFiles files;
  {
    Progress progress("merge", static_cast<int64_t>(training.vocab_size), "tokens");
    files = trainer.train([&progress](size_t tokens) { progress.update(static_cast<int64_t>(tokens)); });
  }
  const int32_t size =
      Tokenizer::parse(files.tokenizer_json, "new tokenizer", files.tokenizer_config_json).size();
  files.save(folder);
  log::info("{}: {} tokens", folder, size);
  if (static_cast<size_t>(size) < training.vocab_size)
    log::warn("the text has too few frequent pairs for {} tokens", training.vocab_size);
}

}  // namespace

void add_train_tokenizer(CLI::App& app) {
  CLI::App* command = app.add_subcommand("train-tokenizer", "Learn a byte-level BPE vocabulary from text");
  command->add_option("files", "Text: .txt, .jsonl, each also as .zst")->required();
  command->add_option("-o,--out", "Folder for tokenizer.json and tokenizer_config.json")->required();
  command->add_option("--vocab-size", "All tokens, the special ones among them")
      ->default_str("8192")
      ->check(CLI::Range(258, 1 << 22));
  command->add_option("--min-frequency", "Merge only pairs at least this frequent")
      ->default_str("2")
      ->check(CLI::PositiveNumber);
  command->add_option("--special", "Further special tokens, placed at the end");
  command->add_option("--text-field", "The field of a .jsonl line that holds the text")->default_str("text");
  command->callback([command] { run(*command); });
}

}  // namespace fathom
