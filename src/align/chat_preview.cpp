#include "align/chat_preview.h"

#include "align/chat_encoding.h"
#include "align/chat_tools.h"
#include "io/json_rows.h"
#include "base/error.h"

namespace fathom {
namespace {

ChatRow find_conversation(const Recipe& recipe, int64_t number) {
  int64_t read = 0;
  for (const std::string& path : recipe.data.train) {
    JsonRows rows(path);
    for (Json json; rows.next(json);)
      if (++read == number) return chat_row(json, rows.where());
  }
  fail("there is no conversation {}: data.train has {}", number, read);
}

std::string marked_text(const Tokenizer& tokenizer, const EncodedRow& row) {
  std::string text;
  float weight = 0;
  for (size_t t = 0; t <= row.tokens.size(); ++t) {
    const float next = t < row.tokens.size() ? row.weights[t] : 0;
    if (next != weight) {
      if (weight > 0) text += "\u27e7";
      if (next > 0) text += next == 1 ? "\u27e6" : fmt::format("\u27e6{:g}:", next);
      weight = next;
    }
    if (t < row.tokens.size()) text += tokenizer.piece(row.tokens[t]);
  }
  return text;
}

}  // namespace

std::string chat_preview(const Recipe& recipe, int64_t number) {
  const ChatTools tools(recipe);
  const ChatEncoder encoder(tools.tokenizer, tools.chat_template, tools.ends, recipe.sft.last_turn);
  const ChatRow conversation = find_conversation(recipe, number);
  ChatNotes notes;
  std::string text;
  for (const EncodedRow& row : encoder.encode(conversation, notes))
    text += fmt::format("{}: {} tokens, of which {} are learned, between \u27e6 and \u27e7\n{}\n",
                        conversation.where, row.tokens.size(), row.targets(),
                        marked_text(tools.tokenizer, row));
  return text;
}

}  // namespace fathom
