// fathom prepare FILES... --out DIR: text to token shards, with an existing tokenizer or a newly trained one.
#include "train/prepare.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/threads.h"
#include "cli/commands.h"
#include "cli/corpus_flags.h"
#include "cli/flags.h"
#include "cli/model_argument.h"
#include "cli/standard_streams.h"
#include "data/screen_report.h"

namespace fathom {
namespace {

int64_t bytes_of(const ScreenReport& report) {
  int64_t bytes = report.kept.bytes;
  for (const auto& [reason, count] : report.dropped) bytes += count.bytes;
  return bytes;
}

void print_screening(const ScreenReport& report) {
  print_output("{}screened {}/s", report_text(report),
               human_bytes(static_cast<double>(bytes_of(report)) / report.seconds));
  print_output("{}\n", report.index_bytes > 0 ? ", " + human_bytes(static_cast<double>(report.index_bytes)) +
                                                    " of memory for finding duplicates"
                                              : "");
}

// A setting without what it sets is a mistake.
void check_together(const ScreenOptions& o) {
  check(o.quality || o.quality_off.empty(), "--quality-off is nothing without --quality");
  check(o.any() || o.log.empty(), "--log-dropped is nothing without a flag that leaves documents out");
}

void run(const PrepareOptions& options, bool dry) {
  catch_interrupts();
  check_together(options.screen);
  if (dry) return print_screening(dry_run(options));
  check(!options.out.empty(), "prepare needs --out (folder for the shards and the tokenizer)");
  check_model_folder(options.tokenizer, "tokenizer.json");
  const PrepareReport r = prepare(options);
  if (options.screen.any()) print_screening(r.screening);
  const auto bytes = static_cast<double>(r.text_bytes);
  const auto tokens = static_cast<double>(r.train_tokens + r.validation_tokens);
  print_output("{}: {} documents, {} of text, vocabulary {}\n", options.out, r.documents, human_bytes(bytes),
               r.vocab_size);
  print_output("{} tokens for training, {} for validation ({} documents), {:.2f} bytes per token, {}/s\n",
               r.train_tokens, r.validation_tokens, r.validation_documents, bytes / tokens,
               human_bytes(bytes / r.seconds));
}

void add_screening(CLI::App& command, ScreenOptions& o) {
  command.add_flag("--quality", o.quality, "leave out documents that break a rule of Gopher's and C4's");
  command
      .add_option("--quality-off", o.quality_off, "a rule that is not looked at; may be given several times")
      ->allow_extra_args(false);
  command.add_flag("--exact-duplicates", o.exact_duplicates, "leave out documents that stood there before");
  add_number(command, "--near-duplicates", o.near_duplicates,
             "leave out documents this similar to an earlier one, by MinHash; 0.8 is usual, 0: none",
             Allowed<double>{.low = 0, .high = 1});
  command
      .add_option("--evaluation", o.evaluation,
                  "a file or folder whose text must not be trained on: leave out documents with a piece of "
                  "it; may be given several times")
      ->allow_extra_args(false);
  add_number(command, "--evaluation-words", o.evaluation_words, "words in a row that make such a piece",
             Allowed<int64_t>{.low = Contamination::shortest, .high = 1000});
  add_number(command, "--samples", o.samples, "documents of each reason that the report shows",
             Allowed<int64_t>{.low = 0, .high = 1000});
  command.add_option("--log-dropped", o.log, "file that gets a JSON line for each document left out");
}

}  // namespace

void add_prepare(CLI::App& app) {
  auto options = std::make_shared<PrepareOptions>();
  options->threads = hardware_threads();
  PrepareOptions& o = *options;
  CLI::App* command = app.add_subcommand("prepare", "Turn text into token shards for training");
  add_corpus_flags(*command, o.inputs, o.corpus);
  command->add_option("-o,--out", o.out, "folder for the shards and the tokenizer");
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
  command->add_flag("--resumable", o.resumable,
                    "keep finished shards in OUT.partial until all are there; after an interruption the same "
                    "command goes on from them");
  add_number(*command, "--threads", o.threads, "threads that encode", Allowed<int>{1, most_threads});
  add_screening(*command, o.screen);
  auto dry = std::make_shared<bool>(false);
  command->add_flag("--dry-run", *dry,
                    "only show what would be left out, with samples; needs no tokenizer and no --out");
  command->callback([options, dry] { run(*options, *dry); });
}

}  // namespace fathom
