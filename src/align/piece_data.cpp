#include "align/piece_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/log.h"

namespace fathom {
namespace {

// The windows of pieces begin .. end-1, behind those that are there.
void pack(const Pieces& pieces, int64_t begin, int64_t end, int64_t room,
          std::vector<std::vector<int64_t>>& windows) {
  std::vector<int64_t> lengths;
  for (int64_t p = begin; p < end; ++p) lengths.push_back(pieces.piece_inputs(p));
  for (std::vector<int64_t>& window : pack_pieces(lengths, room)) {
    for (int64_t& piece : window) piece += begin;
    windows.push_back(std::move(window));
  }
}

int64_t tokens_of(const Pieces& pieces) {
  int64_t tokens = 0;
  for (int64_t row = 0; row < pieces.rows(); ++row) tokens += pieces.inputs(row);
  return tokens;
}

class Opener {
 public:
  Opener(const Recipe& recipe, const PieceEncoder& encoder, MeanOver mean, int threads)
      : recipe_(recipe), encoder_(encoder), mean_(mean), threads_(threads) {}

  // Reads files, each behind the other. Returns how many pieces there are up to the end of each.
  std::vector<int64_t> read(const std::vector<std::string>& paths, Pieces& pieces) const {
    std::vector<int64_t> ends;
    for (const std::string& path : paths) {
      PieceCounts counts;
      read_pieces(path, encoder_, recipe_, threads_, pieces, counts);
      counts.log(path);
      ends.push_back(pieces.count());
    }
    return ends;
  }

  void set_validation(Pieces held, int64_t first_piece, TrainingData& data) const {
    std::vector<std::vector<int64_t>> windows;
    pack(held, 0, held.count(), recipe_.data.sequence_length, windows);
    auto count = static_cast<int64_t>(windows.size());
    if (recipe_.validation.sequences > 0) count = std::min(count, recipe_.validation.sequences);
    data.validation_places.resize(static_cast<size_t>(count));
    std::iota(data.validation_places.begin(), data.validation_places.end(), 0);
    data.validation_identity = held.hash();
    data.validation = std::make_unique<RowWindows>(std::move(held), std::move(windows), mean_, first_piece);
  }

  // `ends`: of the sources.
  void set_training(Pieces pieces, const std::vector<int64_t>& ends, TrainingData& data) const {
    const int64_t room = recipe_.data.sequence_length;
    std::vector<std::vector<int64_t>> windows;
    for (int64_t begin = 0; const int64_t end : ends) {
      const auto first = static_cast<int64_t>(windows.size());
      pack(pieces, begin, end, room, windows);
      data.sources.push_back({first, static_cast<int64_t>(windows.size()) - first});
      begin = end;
    }
    data.tokens = tokens_of(pieces);
    data.identity = pieces.hash();
    log::info("packed into {} sequences of up to {} tokens, {:.1f}% full", windows.size(), room,
              100 * static_cast<double>(data.tokens) /
                  static_cast<double>(room * static_cast<int64_t>(windows.size())));
    data.training = std::make_unique<RowWindows>(std::move(pieces), std::move(windows), mean_);
  }

 private:
  const Recipe& recipe_;
  const PieceEncoder& encoder_;
  const MeanOver mean_;
  const int threads_;
};

}  // namespace

TrainingData open_pieces(const Recipe& r, const ChatTools& tools, const PieceEncoder& encoder, MeanOver mean,
                         int threads) {
  const Opener opener(r, encoder, mean, threads);
  TrainingData data;
  data.vocabulary = tools.vocabulary;
  data.tokenizer = tools.vocabulary.fingerprint;
  data.tokenizer_folder = tools.folder, data.chat_template = r.chat.chat_template;
  data.where = r.data.train.front();

  Pieces pieces;
  std::vector<int64_t> ends = opener.read(r.data.train, pieces);
  if (r.data.validation.empty() && r.data.validation_fraction > 0) {
    const int64_t all = pieces.count(),
                  used = all - static_cast<int64_t>(std::ceil(r.data.validation_fraction * static_cast<double>(all)));
    check(used > 0, "data.validation_fraction = {:g} leaves none of {} rows to train on",
          r.data.validation_fraction, all);
    opener.set_validation(pieces.split_off(used), used, data);
  }
  if (!r.data.validation.empty()) {
    Pieces held;
    opener.read(r.data.validation, held);
    data.own_validation = true;
    opener.set_validation(std::move(held), pieces.count(), data);
  }
  if (r.data.weights.empty()) ends = {pieces.count()};
  opener.set_training(std::move(pieces), ends, data);
  return data;
}

}  // namespace fathom
