// fathom prepare FILES... --out DIR: text to token shards, with an existing or a newly learnt vocabulary.
#include "train/prepare.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/threads.h"
#include "cli/commands.h"

namespace fathom {
namespace {

void run(const PrepareOptions& options) {
  catch_interrupts();
  const PrepareReport r = prepare(options);
  const auto bytes = static_cast<double>(r.text_bytes);
  const auto tokens = static_cast<double>(r.train_tokens + r.validation_tokens);
  fmt::print("{}: {} documents, {} of text, vocabulary {}\n", options.out, r.documents, human_bytes(bytes),
             r.vocab_size);
  fmt::print("{} tokens for training, {} for validation ({} documents), {:.2f} bytes per token, {}/s\n",
             r.train_tokens, r.validation_tokens, r.validation_documents, bytes / tokens,
             human_bytes(bytes / r.seconds));
}

}  // namespace

void add_prepare(CLI::App& app) {
  auto options = std::make_shared<PrepareOptions>();
  options->threads = hardware_threads();
  CLI::App* command = app.add_subcommand("prepare", "Turn text into token shards for training");
  command->add_option("inputs", options->inputs, "text: .txt, .jsonl, each also as .zst, or folders of them")
      ->required();
  command->add_option("-o,--out", options->out, "folder for the shards and the tokenizer")->required();
  CLI::Option* tokenizer =
      command->add_option("--tokenizer", options->tokenizer, "model folder or tokenizer.json to encode with");
  command
      ->add_option("--train-tokenizer", options->train_vocabulary,
                   "learn a vocabulary of this many tokens from the text instead")
      ->check(CLI::Range(258, 1 << 22))
      ->excludes(tokenizer);
  command->add_option("--validation", options->validation, "share of the text to set aside")
      ->capture_default_str();
  command->add_option("--text-field", options->text_field, "the field of a .jsonl line with the text")
      ->capture_default_str();
  command
      ->add_option("--split-text", options->chunk_size,
                   "cut .txt files into documents at the first blank line after this many bytes; 0: never")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_option("--shard-tokens", options->shard_tokens, "tokens in one shard at most")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--threads", options->threads, "threads that encode")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->callback([options] { run(*options); });
}

}  // namespace fathom
