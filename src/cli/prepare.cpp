// fathom prepare FILES... --out DIR: text to token shards, with an existing tokenizer or a newly trained one.
#include "train/prepare.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/corpus_flags.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"

namespace fathom {
namespace {

void run(const PrepareOptions& options) {
  check_model_folder(options.tokenizer, "tokenizer.json");
  catch_interrupts();
  const PrepareReport r = prepare(options);
  const auto bytes = static_cast<double>(r.text_bytes);
  const auto tokens = static_cast<double>(r.train_tokens + r.validation_tokens);
  print_output("{}: {} documents, {} of text, vocabulary {}\n", options.out, r.documents, human_bytes(bytes),
               r.vocab_size);
  print_output("{} tokens for training, {} for validation ({} documents), {:.2f} bytes per token, {}/s\n",
               r.train_tokens, r.validation_tokens, r.validation_documents, bytes / tokens,
               human_bytes(bytes / r.seconds));
}

}  // namespace

void add_prepare(CLI::App& app) {
  auto options = std::make_shared<PrepareOptions>();
  options->threads = hardware_threads();
  PrepareOptions& o = *options;
  CLI::App* command = app.add_subcommand("prepare", "Turn text into token shards for training");
  add_corpus_flags(*command, o.inputs, o.corpus);
  command->add_option("-o,--out", o.out, "folder for the shards and the tokenizer")->required();
  command->add_option("--tokenizer", o.tokenizer, "model folder or tokenizer.json to encode with");
  add_number(*command, "--train-tokenizer", o.train_vocabulary,
             "train a tokenizer with a vocabulary of this size on the text instead",
             vocabulary_sizes<int64_t>)
      ->default_str("");
  add_number(*command, "--validation", o.validation, "share of the text to set aside",
             Allowed<double>{.low = 0, .high = 1, .high_excluded = true});
  command->add_flag_callback(
      "--no-bos", [&o] { o.add_bos = false; }, "write documents as text and EOS, with no BOS before them");
  add_number(*command, "--shard-tokens", o.shard_tokens, "tokens in one shard at most",
             Allowed<int64_t>{.low = 1});
  add_number(*command, "--threads", o.threads, "threads that encode", Allowed<int>{1, most_threads});
  command->callback([options] { run(*options); });
}

}  // namespace fathom
