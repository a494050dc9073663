#include "answers/math_lexer.h"

#include <algorithm>
#include <cctype>

#include "answers/math_names.h"
#include "answers/math_number.h"
#include "answers/math_text.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using Kind = MathTokenKind;

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  bool run() {
    while (at_ < text_.size() && !failed_) {
      step();
      if (tokens_.size() >= max_math_tokens) failed_ = true;
    }
    return !failed_;
  }
  std::vector<MathToken> take() { return std::move(tokens_); }

 private:
  std::string_view rest() const { return text_.substr(at_); }
  void fail() { failed_ = true; }

  void add(Kind kind, std::string_view text) {
    if (kind == Kind::mark) {
      if (text == "(" || text == "[" || text == "\\{") ++brackets_;
      if (text == ")" || text == "]" || text == "\\}") --brackets_;
    }
    tokens_.push_back({kind, std::string(text), spaced_});
    spaced_ = false;
  }

  void blank(size_t length) {
    at_ += length;
    spaced_ = true;
  }

  void step() {
    const char c = text_[at_];
    if (std::isspace(static_cast<unsigned char>(c)) || c == '~') return blank(1);
    if (c == '\\') return backslash();
    if (is_latin_letter(c)) return word();
    if (static_cast<unsigned char>(c) >= 0x80) return character();
    const WrittenNumber number = read_number_text(rest(), brackets_ > 0);
    if (number.length > 0) {
      add(Kind::number, number.text);
      at_ += number.length;
      return;
    }
    ascii_mark(c);
  }

  void ascii_mark(char c) {
    ++at_;
    if (c == '$') return;
    if (c == '.') {  // of a sentence
      if (rest().find_first_not_of(" \n\t$*") != std::string_view::npos) fail();
      return;
    }
    if (c == '\'') return prime();
    const std::string_view second = rest().substr(0, 1);
    if (c == '*' && second == "*") return ++at_, add(Kind::mark, "^");
    if ((c == '<' || c == '>') && second == "=") return ++at_, add(Kind::mark, c == '<' ? "<=" : ">=");
    if (std::string_view("+-*/^_!%()[]{}|,;:=<>&").find(c) == std::string_view::npos) return fail();
    add(Kind::mark, std::string_view(&c, 1));
  }

  void prime() {
    if (tokens_.empty() || tokens_.back().kind != Kind::symbol) return fail();
    tokens_.back().text += '\'';
  }

  void backslash() {
    const std::string_view after = rest().substr(1);
    if (after.empty()) return fail();
    if (after[0] == '\\') {
      if (environments_ > 0) {
        at_ += 2;
        return add(Kind::mark, "\\\\");
      }
      return after.size() > 1 && is_latin_letter(after[1]) ? void(++at_)
                                                           : blank(2);  // as written in JSON: \\frac
    }
    if (is_latin_letter(after[0])) return command();
    at_ += 2;
    switch (after[0]) {
      case '{':
        return add(Kind::mark, "\\{");
      case '}':
        return add(Kind::mark, "\\}");
      case '|':
        return add(Kind::mark, "|");
      case '%':
        return add(Kind::mark, "%");
      case '$':
      case '(':
      case ')':
      case '[':
      case ']':
        return;
      case ',':
      case ';':
      case ':':
      case '!':
      case ' ':
        return blank(0);
      default:
        return fail();
    }
  }

  void command() {
    size_t end = at_ + 1;
    while (end < text_.size() && is_latin_letter(text_[end])) ++end;
    const std::string_view name = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end;
    const MathName known = latex_command(name);
    switch (known.meaning) {
      case MathMeaning::unknown:
      case MathMeaning::latex:
        return fail();
      case MathMeaning::nothing:
        if ((name == "left" || name == "right") && rest().starts_with('.')) ++at_;
        spaced_ = true;
        return;
      case MathMeaning::text_follows:
        return words();
      case MathMeaning::symbol:
        return add(Kind::symbol, known.text);
      case MathMeaning::function:
        return add(Kind::function, known.text);
      case MathMeaning::mark:
        add(Kind::mark, known.text);
        if (name == "begin" || name == "end") environment(name == "begin");
    }
  }

  // The inside of {...} that stands here, past it. Nothing when there is none or it has no end.
  std::optional<std::string_view> braced() {
    while (rest().starts_with(' ')) ++at_;
    if (!rest().starts_with('{')) return std::nullopt;
    const size_t begin = at_ + 1;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\')
        ++at_;
      else if (text_[at_] == '{')
        ++depth;
      else if (text_[at_] == '}' && --depth == 0)
        return text_.substr(begin, at_++ - begin);
    }
    return std::nullopt;
  }

  void environment(bool begins) {
    const std::optional<std::string_view> name = braced();
    if (!name) return fail();
    if (*name != "matrix" && *name != "pmatrix" && *name != "bmatrix" && *name != "array") return fail();
    if (*name == "array" && begins && !braced()) return fail();  // its columns
    environments_ += begins ? 1 : -1;
  }

  void words() {
    const std::optional<std::string_view> inside = braced();
    if (!inside) return fail();
    const TextMeaning meaning = text_meaning(*inside, after_value());
    if (meaning.kind == Kind::end) return blank(0);
    return meaning.mathematics ? read_inside(meaning.text) : add(meaning.kind, meaning.text);
  }

  void read_inside(std::string_view content) {
    if (content.find("\\text") != std::string_view::npos) return fail();
    Lexer inner(content);
    if (!inner.run()) return fail();
    for (MathToken& token : inner.tokens_) tokens_.push_back(std::move(token));
  }

  void word() {
    size_t end = at_;
    while (end < text_.size() && is_latin_letter(text_[end])) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    if (is_unit(word) && after_value()) {
      at_ = end;
      return add(Kind::text, word);
    }
    MathName name = plain_name(word);
    const bool rest_of_word = at_ > 0 && is_latin_letter(text_[at_ - 1]);
    if (rest_of_word && name.meaning == MathMeaning::mark) name = {};  // no "in" in "bin"
    if (name.meaning != MathMeaning::unknown) {
      at_ += std::min(name.text == "plain sqrt" ? size_t{4} : name.text.size(), word.size());
      return add(name.meaning == MathMeaning::symbol     ? Kind::symbol
                 : name.meaning == MathMeaning::function ? Kind::function
                                                         : Kind::mark,
                 name.text);
    }
    constexpr size_t longest_product = 3;  // of letters: longer words are one name
    const size_t length = word.size() <= longest_product ? 1 : word.size();
    add(Kind::symbol, word.substr(0, length));
    at_ += length;
  }

  bool after_value() const {
    if (tokens_.empty()) return false;
    const MathToken& last = tokens_.back();
    return last.kind == Kind::number || last.kind == Kind::text || last.is("}") || last.is(")");
  }

  void character() {
    const CodePoint c = decode_utf8(text_.data() + at_, text_.data() + text_.size());
    if (c.length == 0) return fail();
    const MathName name = unicode_symbol(c.value);
    if (name.meaning == MathMeaning::unknown) {  // a word of another script, a unit perhaps
      const std::string_view bytes = rest().substr(0, static_cast<size_t>(c.length));
      if (!tokens_.empty() && tokens_.back().kind == Kind::text && !spaced_)
        tokens_.back().text += bytes;
      else
        add(Kind::text, bytes);
    } else if (name.meaning == MathMeaning::nothing) {
      spaced_ = true;
    } else if (name.meaning == MathMeaning::latex) {
      read_inside(name.text);
    } else {
      add(name.meaning == MathMeaning::symbol ? Kind::symbol : Kind::mark, name.text);
    }
    at_ += static_cast<size_t>(c.length);
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<MathToken> tokens_;
  int brackets_ = 0, environments_ = 0;
  bool spaced_ = false, failed_ = false;
};

}  // namespace

std::optional<std::vector<MathToken>> math_tokens(std::string_view text) {
  Lexer lexer(text);
  if (!lexer.run()) return std::nullopt;
  std::vector<MathToken> tokens = lexer.take();
  tokens.push_back({Kind::end, ""});
  return tokens;
}

}  // namespace fathom
