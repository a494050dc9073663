#include "align/piece_reader.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"

namespace fathom {
namespace {

constexpr size_t batch_rows = 2048;  // encoded in parallel

// One row on its way.
struct FileRow {
  Json json;
  std::string where;
  std::vector<Piece> pieces = {};
  ChatNotes notes = {};
  std::string error = {};

  void encode(const PieceEncoder& encoder) {
    try {
      pieces = encoder(json, where, notes);
    } catch (const Error& e) {
      error = e.what();
    }
  }
};

class PieceKeeper {
 public:
  PieceKeeper(const Recipe& recipe, Pieces& pieces, PieceCounts& counts)
      : chat_(recipe.chat), most_(recipe.data.sequence_length), pieces_(pieces), counts_(counts) {}

  void keep(FileRow& row) {
    ++counts_.read;
    if (!row.error.empty()) {
      check(!chat_.strict, "{}", row.error);
      counts_.unusable.add(std::move(row.error));
      return;
    }
    counts_.notes += row.notes;
    for (Piece& piece : row.pieces)
      if (fits(piece)) keep(piece);
  }

 private:
  // Whether there is something left of it.
  bool fits(Piece& piece) {
    int64_t inputs = 0;
    for (const EncodedRow& row : piece.rows) inputs += static_cast<int64_t>(row.tokens.size()) - 1;
    if (inputs <= most_) return true;
    EncodedRow& row = piece.rows.front();
    if (chat_.overlong == "drop" || piece.rows.size() > 1) return ++counts_.too_long, false;
    row.tokens.resize(static_cast<size_t>(most_) + 1), row.weights.resize(row.tokens.size());
    return ++(row.targets() > 0 ? counts_.cut : counts_.lost_targets), row.targets() > 0;
  }
  void keep(const Piece& piece) {
    ++counts_.pieces;
    for (const EncodedRow& row : piece.rows)
      counts_.tokens += static_cast<int64_t>(row.tokens.size()), counts_.targets += row.targets();
    pieces_.add(piece);
  }

  const Recipe::Chat& chat_;
  const int64_t most_;
  Pieces& pieces_;
  PieceCounts& counts_;
};

}  // namespace

void PieceCounts::log(const std::string& what) const {
  const auto count = [](int64_t n) { return human_count(static_cast<double>(n)); };
  log::info("{}: {} rows, {} pieces of {} tokens in all, of which {} are learned", what, count(read), count(pieces),
            count(tokens), count(targets));
  if (unusable.count > 0) {
    std::string examples;
    for (const std::string& example : unusable.examples) examples += "\n  " + example;
    log::warn("{}: {} rows cannot be used and are left out, such as{}", what, unusable.count, examples);
  }
  if (too_long + cut + lost_targets > 0)
    log::warn("{}: of those longer than data.sequence_length {} are left out, {} are cut, and {} would have no "
              "target left and are left out too",
              what, too_long, cut, lost_targets);
  if (notes.without_end > 0)
    log::warn("{}: behind {} of {} answers the chat template writes no end token: a model will not learn to stop",
              what, notes.without_end, notes.answers);
  if (notes.shared_tokens > 0)
    log::warn("{}: {} of {} answers begin inside a token of the prompt, which is not learned", what,
              notes.shared_tokens, notes.answers);
  if (notes.rewritten > 0)
    log::info("{}: {} answers are rows of their own, since the chat template writes them differently once the "
              "conversation goes on",
              what, notes.rewritten);
}

void read_pieces(const std::string& path, const PieceEncoder& encoder, const Recipe& recipe, int threads,
                 Pieces& pieces, PieceCounts& counts) {
  JsonRows reader(path, recipe.chat.strict ? nullptr : &counts.unusable);
  Progress progress("encode", reader.source().total(), "bytes");
  PieceKeeper keeper(recipe, pieces, counts);
  const int64_t before = counts.pieces;
  for (bool more = true; more;) {
    std::vector<FileRow> batch;
    Json json;
    while (batch.size() < batch_rows && (more = reader.next(json)))
      batch.push_back({std::move(json), reader.where()});
    parallel_tasks(threads, static_cast<int64_t>(batch.size()),
                   [&](int, int64_t i) { batch[static_cast<size_t>(i)].encode(encoder); });
    for (FileRow& row : batch) keeper.keep(row);
    progress.update(reader.source().consumed());
  }
  if (counts.pieces > before) return;
  check(counts.unusable.examples.empty(), "{}: no row can be used: {}", path,
        counts.unusable.examples.empty() ? "" : counts.unusable.examples.front());
  fail("{}: no row fits data.sequence_length = {}", path, recipe.data.sequence_length);
}

}  // namespace fathom
