#include "text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/error.h"
#include "text/utf8.h"

namespace fathom::jinja {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
}

// Line ends become \n, and one at the very end goes, as Jinja has it.
std::string with_plain_line_ends(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string source, const std::string& name) : s_(std::move(source)), name_(name) {}

  std::vector<Token> run() {
    while (at_ < s_.size()) text_then_tag();
    add(Token::Kind::end, "end of the template");
    return std::move(tokens_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}, line {}: {}", name_, line_, fmt::format(format, std::forward<Args>(args)...));
  }
  void add(Token::Kind kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  bool next_is(std::string_view what) const { return s_.compare(at_, what.size(), what) == 0; }

  void text_then_tag() {
    const size_t begin = at_;
    size_t tag = std::string::npos;
    for (size_t i = at_; i + 1 < s_.size() && tag == std::string::npos; ++i)
      if (s_[i] == '{' && (s_[i + 1] == '{' || s_[i + 1] == '%' || s_[i + 1] == '#')) tag = i;
    const bool last = tag == std::string::npos;
    std::string text = s_.substr(begin, last ? std::string::npos : tag - begin);
    const std::string whole = text;
    const char kind = last ? 0 : s_[tag + 1], mark = last || tag + 2 >= s_.size() ? 0 : s_[tag + 2];
    if (mark == '-')
      while (!text.empty() && is_space(text.back())) text.pop_back();
    else if (!last && kind != '{' && mark != '+')
      strip_line_before(text, begin);
    if (!text.empty()) add(Token::Kind::text, text);
    line_ += static_cast<int>(std::count(whole.begin(), whole.end(), '\n'));
    at_ = last ? s_.size() : tag + 2;
    if (last) return;
    if (mark == '-' || (mark == '+' && kind != '{')) ++at_;
    if (kind == '#')
      comment();
    else
      tag_content(kind == '{');
  }

  // Blanks between the begin of the line and a block's tag go.
  void strip_line_before(std::string& text, size_t begin) const {
    size_t keep = text.size();
    while (keep > 0 && (text[keep - 1] == ' ' || text[keep - 1] == '\t')) --keep;
    const bool at_line_begin = keep > 0 ? text[keep - 1] == '\n' : begin == 0 || s_[begin - 1] == '\n';
    if (at_line_begin) text.resize(keep);
  }

  void comment() {
    const size_t end = s_.find("#}", at_);
    if (end == std::string::npos) fail_here("the comment has no end");
    line_ += static_cast<int>(
        std::count(s_.begin() + static_cast<ptrdiff_t>(at_), s_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    const char mark = end > at_ ? s_[end - 1] : 0;
    at_ = end + 2;
    after_tag(mark, true);
  }

  // "-" takes all white space behind a tag; without a mark a block's tag takes one line end.
  void after_tag(char mark, bool block) {
    if (mark == '-')
      for (; at_ < s_.size() && is_space(s_[at_]); ++at_) line_ += s_[at_] == '\n';
    else if (block && mark != '+' && at_ < s_.size() && s_[at_] == '\n')
      ++at_, ++line_;
  }

  void tag_content(bool output) {
    const std::string_view close = output ? "}}" : "%}";
    add(output ? Token::Kind::output_begin : Token::Kind::block_begin, output ? "{{" : "{%");
    int depth = 0;  // of brackets: "}}" may end two dictionaries
    while (true) {
      for (; at_ < s_.size() && is_space(s_[at_]); ++at_) line_ += s_[at_] == '\n';
      if (at_ >= s_.size()) fail_here("the tag has no end: expected {}", close);
      const char mark = s_[at_];
      const bool marked = (mark == '-' || mark == '+') && s_.compare(at_ + 1, 2, close) == 0;
      if (depth == 0 && (marked || next_is(close))) {
        at_ += marked ? 3 : 2;
        add(output ? Token::Kind::output_end : Token::Kind::block_end, std::string(close));
        return after_tag(marked ? mark : 0, !output);
      }
      token(depth);
    }
  }

  void token(int& depth) {
    const char c = s_[at_];
    if (c == '\'' || c == '"') return string(c);
    if (is_digit(c)) return number();
    if (is_name(c)) {
      const size_t begin = at_;
      while (at_ < s_.size() && is_name(s_[at_])) ++at_;
      return add(Token::Kind::name, s_.substr(begin, at_ - begin));
    }
    static constexpr std::array<std::string_view, 7> pairs = {"==", "!=", "<=", ">=", "//", "**", "||"};
    for (const std::string_view pair : pairs)
      if (next_is(pair)) return symbol(std::string(pair));
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (std::string_view("()[]{}.,:|+-*/%~<>=").find(c) == std::string_view::npos)
      fail_here("unexpected character '{}'", c);
    symbol(std::string(1, c));
  }
  void symbol(std::string text) {
    at_ += text.size();
    add(Token::Kind::symbol, std::move(text));
  }

  void number() {
    const size_t begin = at_;
    const auto digits = [&] {
      while (at_ < s_.size() && (is_digit(s_[at_]) || s_[at_] == '_')) ++at_;
    };
    digits();
    bool real = false;
    if (at_ + 1 < s_.size() && s_[at_] == '.' && is_digit(s_[at_ + 1])) real = true, ++at_, digits();
    if (at_ < s_.size() && (s_[at_] == 'e' || s_[at_] == 'E')) {
      real = true, ++at_;
      if (at_ < s_.size() && (s_[at_] == '+' || s_[at_] == '-')) ++at_;
      digits();
    }
    std::string text = s_.substr(begin, at_ - begin);
    std::erase(text, '_');
    add(real ? Token::Kind::real : Token::Kind::integer, text);
  }

  void string(char quote) {
    const int line = line_;
    std::string text;
    for (++at_; at_ < s_.size() && s_[at_] != quote; ++at_) {
      line_ += s_[at_] == '\n';
      if (s_[at_] == '\\' && at_ + 1 < s_.size())
        escape(text);
      else
        text += s_[at_];
    }
    if (at_ >= s_.size()) fail("{}, line {}: the text has no closing {}", name_, line, quote);
    ++at_;
    tokens_.push_back({Token::Kind::string, line, std::move(text)});
  }

  // Python's; what it does not know stays as it is.
  void escape(std::string& text) {
    const char c = s_[++at_];
    static constexpr std::string_view plain = "ntrabfv0", meaning{"\n\t\r\a\b\f\v\0", 8};
    if (const size_t i = plain.find(c); i != std::string_view::npos) {
      text += meaning[i];
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      uint32_t code = 0;
      for (size_t i = 1; i <= digits; ++i) {
        const std::optional<uint32_t> digit = at_ + i < s_.size() ? hex(s_[at_ + i]) : std::nullopt;
        if (!digit) fail_here("the escape \\{} needs {} hexadecimal digits", c, digits);
        code = code * 16 + *digit;
      }
      at_ += digits;
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        fail_here("\\{}{:x} is no character", c, code);
      append_utf8(text, code);
    } else if (c == '\\' || c == '\'' || c == '"') {
      text += c;
    } else if (c == '\n') {
      ++line_;  // the line goes on
    } else {
      text += '\\', text += c;
    }
  }
  static std::optional<uint32_t> hex(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return std::nullopt;
  }

  std::string s_;
  const std::string& name_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize_template(std::string_view source, const std::string& name) {
  return Lexer(with_plain_line_ends(source), name).run();
}

}  // namespace fathom::jinja
