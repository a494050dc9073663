// The seam of prompt and answer. What is scored is the text of both as the tokenizer would write it in one
// piece: they are encoded together and cut behind the prompt's ids. Blanks at the prompt's end move into the
// answer, since a vocabulary has " word" and rarely " " before "word". Where a token lies across the seam the
// cut moves before it, so that the scored tokens are never none and always those of the text.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "text/jinja_value.h"
#include "text/tokenizer.h"

namespace fathom {

// Bytes of white space, as Unicode has it, at the end.
size_t trailing_blanks(std::string_view text);

struct Seam {
  std::vector<int32_t> ids;  // prompt and answer
  int64_t cut = 0;           // those from here on are scored; at least 1
};

class SeamEncoder {
 public:
  // `add_bos`: whether the tokens go first that the tokenizer's files ask for; not before a chat template's
  // text, which has its own. The tokenizer must outlive this.
  SeamEncoder(const Tokenizer& tokenizer, bool add_bos);

  // The ids of a prompt alone.
  std::vector<int32_t> prompt(const jinja::Text& text) const;
  // Of a prompt and an answer, which is not empty. Where nothing would stand before the first scored token,
  // BOS does, or end-of-sequence; Error when there is neither.
  Seam pair(const jinja::Text& prompt, const jinja::Text& answer) const {
    return answers(prompt, {answer})[0];
  }
  // Of answers to one prompt: all have the earliest cut, so that all see the same tokens.
  std::vector<Seam> answers(const jinja::Text& prompt, const std::vector<jinja::Text>& answers) const;
  // Tokens at the beginning.
  const std::vector<int32_t>& beginning() const { return beginning_; }

 private:
  std::vector<int32_t> encode(const jinja::Text& text) const;

  const Tokenizer& tokenizer_;
  std::vector<int32_t> beginning_;
};

// The tokens that a tokenizer's files put before a text: a BOS, mostly, or nothing.
std::vector<int32_t> beginning_of(const Tokenizer& tokenizer);

}  // namespace fathom
