#include "align/preference_data.h"

#include <algorithm>

#include "align/piece_data.h"
#include "align/preference_row.h"
#include "base/error.h"

namespace fathom {
namespace {

// Template and tokenizer may make several rows of a conversation; its last one ends with its last answer.
EncodedRow encoded(const ChatEncoder& encoder, const ChatRow& conversation, ChatNotes& notes) {
  std::vector<EncodedRow> rows = encoder.encode(conversation, notes);
  check(rows.size() == 1, "{}: the chat template writes its answers differently once the conversation goes on",
        conversation.where);
  return std::move(rows.front());
}

PieceEncoder pairs(const ChatEncoder& encoder, bool scored) {
  return [&encoder, scored](const Json& json, const std::string& where, ChatNotes& notes) {
    std::vector<Piece> pieces;
    for (const PreferenceRow& row : preference_rows(json, where)) {
      check(scored || !row.label.tie, "{}: a tie, from which only a reward model can learn", where);
      Piece piece{.rows = {encoded(encoder, row.chosen, notes), encoded(encoder, row.rejected, notes)},
                  .label = row.label};
      if (scored)
        for (EncodedRow& text : piece.rows) text = scored_text(text);
      pieces.push_back(std::move(piece));
    }
    return pieces;
  };
}

PieceEncoder points(const ChatEncoder& encoder, bool binary) {
  return [&encoder, binary](const Json& json, const std::string& where, ChatNotes& notes) {
    ScoredRow row = scored_row(json, where);
    check(!binary || (row.label.score >= 0 && row.label.score <= 1),
          "{}: a score of {:g}, where reward.points = \"binary\" needs one from 0 to 1", where, row.label.score);
    row.conversation.weight = 1;
    return std::vector<Piece>{
        {.rows = {scored_text(encoded(encoder, row.conversation, notes))}, .label = row.label}};
  };
}

void append_labels(const Windows& windows, std::vector<PieceLabel>& labels) {
  const Pieces& pieces = dynamic_cast<const RowWindows&>(windows).pieces();
  for (int64_t p = 0; p < pieces.count(); ++p) labels.push_back(pieces.label(p));
}

}  // namespace

EncodedRow scored_text(const EncodedRow& conversation) {
  const auto& weights = conversation.weights;
  const auto last = std::find_if(weights.rbegin(), weights.rend(), [](float w) { return w > 0; });
  const auto read = static_cast<size_t>(weights.rend() - last);
  EncodedRow row;
  row.tokens.assign(conversation.tokens.begin(), conversation.tokens.begin() + static_cast<std::ptrdiff_t>(read));
  row.tokens.push_back(row.tokens.back());
  row.weights.assign(row.tokens.size(), 0);
  row.weights.back() = 1;
  return row;
}

TrainingData PreferenceData::open(const Recipe& r, int threads) {
  const ChatTools tools(r);
  const bool scored = r.method == TrainingMethod::reward, single = scored && r.reward.data == "points";
  const ChatEncoder encoder(tools.tokenizer, tools.chat_template, tools.ends, single);
  TrainingData data =
      open_pieces(r, tools, single ? points(encoder, r.reward.points == "binary") : pairs(encoder, scored),
                  MeanOver::pieces, threads);
  labels_.clear();
  append_labels(*data.training, labels_);
  if (data.validation) append_labels(*data.validation, labels_);
  return data;
}

}  // namespace fathom
