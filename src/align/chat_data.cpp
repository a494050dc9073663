#include "align/chat_data.h"

#include "align/piece_data.h"

namespace fathom {

TrainingData open_chat_data(const Recipe& r, int threads) {
  const ChatTools tools(r);
  const ChatEncoder encoder(tools.tokenizer, tools.chat_template, tools.ends, r.sft.last_turn);
  const auto encode = [&](const Json& row, const std::string& where, ChatNotes& notes) {
    std::vector<Piece> pieces;
    for (EncodedRow& encoded : encoder.encode(chat_row(row, where), notes))
      pieces.push_back({.rows = {std::move(encoded)}});
    return pieces;
  };
  return open_pieces(r, tools, encode, MeanOver::targets, threads);
}

}  // namespace fathom
