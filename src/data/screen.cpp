#include "data/screen.h"

#include <chrono>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/threads.h"
#include "data/corpus_batch.h"
#include "data/evaluation_text.h"
#include "data/min_hash.h"
#include "data/near_duplicates.h"
#include "data/quality.h"
#include "data/screen_report.h"
#include "io/content_hash.h"
#include "io/file.h"

namespace fathom {
namespace {

std::string place_text(const CorpusReader& reader, const CorpusBatch::Place& place) {
  return fmt::format("{}:{}", reader.path(place.file), place.line);
}

struct Verdict {
  std::string reason, detail;
};

// What is found out about a document alone, on any thread.
struct Finding {
  std::optional<Verdict> drop;
  HashValue hash;
  std::optional<MinHash> signature;
};

class DocumentCheck {
 public:
  explicit DocumentCheck(const ScreenOptions& o) : options_(o), quality_(o.quality_off) {
    if (o.evaluation.empty()) return;
    contamination_.emplace(splitter_, static_cast<size_t>(o.evaluation_words));
    read_evaluation_texts(o.evaluation, [this](std::string_view text, const std::string& place) {
      contamination_->add(text, place);
    });
    check(contamination_->texts() > contamination_->too_short(),
          "{}: no evaluation text of at least {} words in it", o.evaluation.front(), Contamination::shortest);
  }

  Finding find(const std::string& text) const {
    Finding finding;
    std::vector<Word> words;
    if (looks_at_words()) splitter_.split(text, words);
    finding.drop = verdict(text, words);
    if (finding.drop) return finding;
    if (deduplicates()) finding.hash = hash_value(text);
    if (options_.near_duplicates > 0) finding.signature = min_hash(words);
    return finding;
  }

  bool deduplicates() const { return options_.exact_duplicates || options_.near_duplicates > 0; }
  const std::optional<Contamination>& contamination() const { return contamination_; }

 private:
  bool looks_at_words() const { return options_.quality || contamination_ || options_.near_duplicates > 0; }
  std::optional<Verdict> verdict(std::string_view text, std::span<const Word> words) const {
    RepetitionScratch scratch;
    if (options_.quality)
      if (const auto failure = quality_.failure(text, words, scratch))
        return Verdict{fmt::format("quality/{}", failure->rule->name), failure->text()};
    if (!contamination_) return std::nullopt;
    const auto match = contamination_->find(words);
    if (!match) return std::nullopt;
    const size_t begin = words[match->first].begin, end = words[match->first + match->words - 1].end;
    return Verdict{"contamination", fmt::format("{}: {}", *match->place, text.substr(begin, end - begin))};
  }

  const ScreenOptions& options_;
  WordSplitter splitter_;
  QualityFilter quality_;
  std::optional<Contamination> contamination_;
};

// Documents that stay, in order, for what comes later to be compared with.
class Duplicates {
 public:
  explicit Duplicates(const ScreenOptions& o) {
    if (o.near_duplicates > 0) near_.emplace(o.near_duplicates);
  }

  // Why the document goes; if it stays it is remembered.
  std::optional<Verdict> judge(const Finding& finding, const CorpusBatch::Place& place,
                               const CorpusReader& reader) {
    const uint32_t* same = exact_.find(finding.hash.high);
    if (same && kept_[*same].low == finding.hash.low)
      return Verdict{"duplicate", "of " + place_text(reader, kept_[*same].place)};
    if (near_ && finding.signature) {
      if (const auto match = near_->find(*finding.signature))
        return Verdict{"near duplicate", fmt::format("{:.2f} like {}", match->similarity,
                                                     place_text(reader, kept_[signed_[match->text]].place))};
      near_->keep(*finding.signature);
      signed_.push_back(static_cast<uint32_t>(kept_.size()));
    }
    exact_.insert(finding.hash.high, static_cast<uint32_t>(kept_.size()));
    kept_.push_back({finding.hash.low, place});
    return std::nullopt;
  }

  size_t memory() const {
    return kept_.capacity() * sizeof(Kept) + signed_.capacity() * sizeof(uint32_t) + exact_.memory() +
           (near_ ? near_->memory() : 0);
  }

 private:
  struct Kept {
    uint64_t low;  // of its hash
    CorpusBatch::Place place;
  };

  FlatMap<uint32_t> exact_;  // the hash's high half: kept_'s index
  std::optional<NearDuplicates> near_;
  std::vector<Kept> kept_;
  std::vector<uint32_t> signed_;  // near_'s numbers: kept_'s index
};

// Counts, samples and the log.
class Record {
 public:
  Record(const ScreenOptions& o, Screened& screened) : samples_(o.samples), screened_(screened) {
    if (!o.log.empty()) log_.emplace(o.log);
  }

  void keep(const std::string& text) {
    screened_.keep.push_back(true);
    ++screened_.report.kept.documents;
    screened_.report.kept.bytes += static_cast<int64_t>(text.size());
  }

  void drop(const std::string& text, std::string place, Verdict verdict) {
    screened_.keep.push_back(false);
    ScreenReport::Count& count = screened_.report.dropped[verdict.reason];
    const bool sample = count.documents++ < samples_;
    count.bytes += static_cast<int64_t>(text.size());
    if (!sample && !log_) return;
    DroppedDocument dropped = {std::move(place), std::move(verdict.reason), std::move(verdict.detail),
                               text_begin(text)};
    if (log_) log_->write(dropped_to_json(dropped).dump() + "\n");
    if (sample) count.samples.push_back(std::move(dropped));
  }

  void finish() {
    if (log_) log_->commit();
  }

 private:
  int64_t samples_;
  Screened& screened_;
  std::optional<AtomicFile> log_;
};

}  // namespace

Screened screen(CorpusReader& reader, const ScreenOptions& o, int threads) {
  const auto start = std::chrono::steady_clock::now();
  const DocumentCheck document(o);
  Duplicates duplicates(o);
  Screened screened;
  Record record(o, screened);
  Progress progress("screen", reader.bytes_total(), "bytes");
  CorpusBatches batches(reader, threads);
  for (CorpusBatch batch; batches.next(batch); progress.update(batch.consumed)) {
    check(!interrupted(), "interrupted; nothing was written");
    const auto n = static_cast<int64_t>(batch.documents.size());
    std::vector<Finding> findings(batch.documents.size());
    parallel_tasks(threads, n, [&](int, int64_t i) {
      findings[static_cast<size_t>(i)] = document.find(batch.documents[static_cast<size_t>(i)]);
    });
    for (size_t i = 0; i < findings.size(); ++i) {
      std::optional<Verdict>& drop = findings[i].drop;
      if (!drop && document.deduplicates()) drop = duplicates.judge(findings[i], batch.places[i], reader);
      if (drop)
        record.drop(batch.documents[i], place_text(reader, batch.places[i]), std::move(*drop));
      else
        record.keep(batch.documents[i]);
    }
  }
  record.finish();
  ScreenReport& report = screened.report;
  if (const auto& contamination = document.contamination()) {
    report.evaluation_texts = contamination->texts();
    report.evaluation_too_short = contamination->too_short();
  }
  report.index_bytes = static_cast<int64_t>(duplicates.memory());
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return screened;
}

}  // namespace fathom
