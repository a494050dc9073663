#include "train/prepare.h"

#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"
#include "data/corpus_batch.h"
#include "data/screen_report.h"
#include "io/atomic_folder.h"
#include "io/file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_identity.h"
#include "train/prepare_work.h"
#include "train/token_shard.h"
#include "train/vocabulary_training.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

void check_options(const PrepareOptions& o) {
  check(!o.inputs.empty(), "no text to prepare: name files or folders");
  check(!o.out.empty(), "no folder for the result is named");
  check(!o.tokenizer.empty() || o.train_vocabulary != 0,
        "prepare needs a tokenizer: give --tokenizer MODEL or --train-tokenizer SIZE");
  check(o.tokenizer.empty() || o.train_vocabulary == 0,
        "--tokenizer and --train-tokenizer cannot be given together");
  check(o.validation >= 0 && o.validation < 1,
        "the share for validation must be from 0 to less than 1, got {}", o.validation);
  check(o.threads > 0, "the number of threads must be positive, got {}", o.threads);
}

void stop_if_interrupted(const PrepareOptions& o) {
  if (!interrupted()) return;
  fail("{}", o.resumable ? "interrupted; the same command goes on from the finished shards"
                         : "interrupted; nothing was written");
}

TokenizerFiles new_vocabulary(const PrepareOptions& o, const std::vector<CorpusFile>& files,
                              const std::vector<bool>& keep) {
  TokenizerTraining training;
  training.vocab_size = static_cast<size_t>(o.train_vocabulary);
  training.threads = o.threads;
  CorpusReader reader(files, o.corpus);
  if (o.screen.any()) reader.keep_only(keep);
  return train_vocabulary(reader, training);
}

TokenizerFiles read_tokenizer(const std::string& path) {
  const fs::path file = fs::is_directory(path) ? fs::path(path) / "tokenizer.json" : fs::path(path);
  const fs::path config = file.parent_path() / "tokenizer_config.json";
  return {read_file(file.string()), fs::exists(config) ? read_file(config.string()) : std::string()};
}

TokenVocabulary vocabulary_of(const Tokenizer& tokenizer, const TokenizerFiles& files,
                              const std::string& name) {
  const auto bos = tokenizer.bos_id(), eos = tokenizer.eos_id();
  check(bos && eos, "{}: the tokenizer names no token for the {} of a text", name, bos ? "end" : "beginning");
  return {tokenizer.size(), *bos, *eos, tokenizer_identity(files.tokenizer_json, name)};
}

// BOS unless it is unwanted, text, EOS, of each document that has a writer. What looks like a special token
// in the text stays text.
std::vector<std::vector<int32_t>> encode(const Tokenizer& tokenizer, const TokenVocabulary& vocabulary,
                                         const CorpusBatch& batch,
                                         const std::vector<TokenShardWriter*>& writers,
                                         const PrepareOptions& o) {
  const auto n = static_cast<int64_t>(batch.documents.size());
  std::vector<std::vector<int32_t>> ids(batch.documents.size());
  parallel_tasks(o.threads, n, [&](int, int64_t i) {
    if (!writers[static_cast<size_t>(i)]) return;
    std::vector<int32_t>& document = ids[static_cast<size_t>(i)];
    document = tokenizer.encode(batch.documents[static_cast<size_t>(i)],
                                {.add_special = false, .parse_special = false});
    if (o.add_bos) document.insert(document.begin(), vocabulary.bos);
    document.push_back(vocabulary.eos);
  });
  return ids;
}

// Sends documents to the two splits.
struct Splitter {
  TokenShardWriter& train;
  TokenShardWriter& validation;
  double share;
  int64_t train_finished = train.documents(), validation_finished = validation.documents();  // not yet seen
  int64_t bytes = 0, validation_bytes = 0;

  // A document is for validation whenever validation has less than its share of the text before it: spread
  // evenly, whatever the documents' lengths. Null when it is in a shard that is finished already.
  TokenShardWriter* writer(const std::string& text) {
    const bool lags = static_cast<double>(validation_bytes) < share * static_cast<double>(bytes);
    const auto size = static_cast<int64_t>(text.size());
    if (lags) validation_bytes += size;
    bytes += size;
    int64_t& finished = lags ? validation_finished : train_finished;
    if (finished > 0) return --finished, nullptr;
    return lags ? &validation : &train;
  }
};

void encode_corpus(const PrepareOptions& o, CorpusReader& reader, const Tokenizer& tokenizer,
                   const TokenVocabulary& vocabulary, Splitter& splitter) {
  Progress progress("encode", reader.bytes_total(), "bytes");
  CorpusBatches batches(reader, o.threads);
  for (CorpusBatch batch; batches.next(batch); progress.update(batch.consumed)) {
    stop_if_interrupted(o);
    std::vector<TokenShardWriter*> writers;
    for (const std::string& document : batch.documents) writers.push_back(splitter.writer(document));
    const auto ids = encode(tokenizer, vocabulary, batch, writers, o);
    for (size_t i = 0; i < ids.size(); ++i)
      if (writers[i]) writers[i]->add(ids[i]);
  }
}

// Reads the corpus once to decide what of it is used.
Screened screen_text(const PrepareOptions& o, CorpusReader& reader) {
  Screened screened = screen(reader, o.screen, o.threads);
  check(!screened.keep.empty(), "{}: there is no text in it", reader.names());
  return screened;
}

void check_some_stay(const ScreenReport& report) {
  std::string reasons;
  for (const auto& [reason, count] : report.dropped)
    reasons += fmt::format("{}{} ({})", reasons.empty() ? "" : ", ", reason, count.documents);
  check(report.kept.documents > 0, "every document was left out: {}", reasons);
}

}  // namespace

ScreenReport dry_run(const PrepareOptions& o) {
  check(!o.inputs.empty(), "no text to prepare: name files or folders");
  CorpusReader reader(corpus_files(o.inputs, o.corpus), o.corpus);
  ScreenReport report = screen_text(o, reader).report;
  reader.notes().log();
  return report;
}

PrepareReport prepare(const PrepareOptions& o) {
  check_options(o);
  const std::vector<CorpusFile> files = corpus_files(o.inputs, o.corpus);
  AtomicFolder folder(o.out, data_set_files());
  Screened screened;
  if (o.screen.any()) {
    CorpusReader reader(files, o.corpus);
    screened = screen_text(o, reader);
    check_some_stay(screened.report);
  }
  const TokenizerFiles tokenizer_files =
      o.tokenizer.empty() ? new_vocabulary(o, files, screened.keep) : read_tokenizer(o.tokenizer);
  const std::string name = o.tokenizer.empty() ? "new tokenizer" : o.tokenizer;
  const Tokenizer tokenizer =
      Tokenizer::parse(tokenizer_files.tokenizer_json, name, tokenizer_files.tokenizer_config_json);
  const TokenVocabulary vocabulary = vocabulary_of(tokenizer, tokenizer_files, name);
  if (vocabulary.size < o.train_vocabulary)
    log::warn("the text has too few frequent pairs for a vocabulary of {}: it has {} tokens",
              o.train_vocabulary, vocabulary.size);

  const auto start = std::chrono::steady_clock::now();
  std::optional<PrepareWork> work;
  if (o.resumable) work.emplace(o, files, screened.keep, vocabulary);
  const std::string& place = work ? work->folder() : folder.path();
  TokenShardWriter train(place, "train", vocabulary, o.shard_tokens);
  TokenShardWriter validation(place, "val", vocabulary, o.shard_tokens);
  if (work) work->continue_after(train, "train"), work->continue_after(validation, "val");
  Splitter splitter{train, validation, o.validation};
  CorpusReader reader(files, o.corpus);
  if (o.screen.any()) reader.keep_only(screened.keep);
  encode_corpus(o, reader, tokenizer, vocabulary, splitter);
  reader.notes().log();
  check(train.documents() > 0, "{}: there is no text in it", reader.names());
  if (o.validation > 0 && validation.documents() == 0)
    log::warn("the text is a single document: none is set aside for validation");
  train.finish();
  validation.finish();
  if (work) work->link_into(folder.path());
  write_file(folder.path() + "/tokenizer.json", tokenizer_files.tokenizer_json);
  if (!tokenizer_files.tokenizer_config_json.empty())
    write_file(folder.path() + "/tokenizer_config.json", tokenizer_files.tokenizer_config_json);
  if (o.screen.any())
    write_file(folder.path() + "/screening.json", report_to_json(screened.report).dump(1) + "\n");
  folder.commit();
  if (work) work->remove();

  return {.documents = train.documents() + validation.documents(),
          .validation_documents = validation.documents(),
          .text_bytes = splitter.bytes,
          .train_tokens = train.tokens(),
          .validation_tokens = validation.tokens(),
          .vocab_size = vocabulary.size,
          .screening = screened.report,
          .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
}

}  // namespace fathom
