// fathom train-tokenizer FILES...: a byte-level BPE tokenizer trained on text.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/interrupt.h"
#include "base/log.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/corpus_flags.h"
#include "cli/standard_streams.h"
#include "text/tokenizer.h"
#include "train/vocabulary_training.h"

namespace fathom {
namespace {

struct Options {
  std::vector<std::string> inputs;
  std::string out;
  CorpusOptions corpus;
  TokenizerTraining training;
};

void run(Options options) {
  catch_interrupts();
  options.training.threads = hardware_threads();
  const size_t wanted = options.training.vocab_size;
  CorpusReader corpus(corpus_files(options.inputs, options.corpus), options.corpus);
  const TokenizerFiles files = train_vocabulary(corpus, options.training);
  corpus.notes().log();
  const int32_t size =
      Tokenizer::parse(files.tokenizer_json, "new tokenizer", files.tokenizer_config_json).size();
  files.save(options.out);
  print_output("{}: {} tokens\n", options.out, size);
  if (static_cast<size_t>(size) < wanted)
    log::warn("the text has too few frequent pairs for a vocabulary of {}: it has {} tokens", wanted, size);
}

}  // namespace

void add_train_tokenizer(CLI::App& app) {
  auto options = std::make_shared<Options>();
  TokenizerTraining& training = options->training;
  CLI::App* command = app.add_subcommand("train-tokenizer", "Train a byte-level BPE tokenizer on text");
  add_corpus_flags(*command, options->inputs, options->corpus);
  command->add_option("-o,--out", options->out, "folder for tokenizer.json and tokenizer_config.json")
      ->required();
  add_number(*command, "--vocab-size", training.vocab_size, "all tokens, the special ones among them",
             vocabulary_sizes<size_t>);
  add_number(*command, "--min-frequency", training.min_frequency, "merge only pairs at least this frequent",
             Allowed<int64_t>{.low = 1});
  command
      ->add_option("--special", training.more_special,
                   "a further special token, placed at the end; may be given several times")
      ->allow_extra_args(false);
  command->callback([options] { run(*options); });
}

}  // namespace fathom
