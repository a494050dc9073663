// The grammar of answers, by recursive descent from what binds least: lists, relations, unions, sums,
// products, signs, powers (math_parser.cpp), then atoms (math_atoms.cpp). A failure jumps to the end token,
// so that every loop ends.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "answers/math_lexer.h"
#include "answers/math_node.h"

namespace fathom {

class MathGrammar {
 public:
  explicit MathGrammar(std::vector<MathToken> tokens) : tokens_(std::move(tokens)) {}

  // The whole text as one answer. Nothing when it is none.
  std::optional<MathNode> run();

 private:
  static constexpr int max_depth = 150;  // several for a pair of brackets

  const MathToken& peek(size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  bool next_is(std::initializer_list<std::string_view> marks) const {
    return std::any_of(marks.begin(), marks.end(), [&](std::string_view mark) { return peek().is(mark); });
  }
  bool accept(std::string_view mark) {
    if (!peek().is(mark)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view mark) {
    if (!accept(mark)) fail();
  }
  MathNode fail() {
    failed_ = true;
    at_ = tokens_.size() - 1;
    return math_node(MathKind::words);
  }

  // Counts the nesting of what calls itself.
  struct Deeper {
    explicit Deeper(MathGrammar& grammar) : grammar(grammar) {
      if (++grammar.depth_ > max_depth) grammar.fail();
    }
    ~Deeper() { --grammar.depth_; }
    MathGrammar& grammar;
  };

  MathNode parse_list();
  // a < b <= c is a chain of its neighbours' relations. ">" is "<" the other way round.
  MathNode parse_relation();
  MathNode parse_union();
  MathNode parse_sum();
  MathNode parse_product();
  // Whether the next token begins a factor that needs no sign of multiplication.
  bool begins_factor() const;
  MathNode parse_signed();
  MathNode parse_power();
  MathNode raised(MathNode base);
  // x^10 and x^-1 are read as models mean them, not as LaTeX would set them.
  MathNode parse_exponent();
  // "cm", or "cm^2": what is measured is not part of the value.
  void skip_unit();

  MathNode parse_atom();
  MathNode parse_marked(const std::string& mark);
  MathNode parse_number(const std::string& text);
  MathNode parse_symbol(std::string name);
  // LaTeX's argument: a group, or one digit or letter.
  MathNode parse_argument();
  MathNode parse_root();
  // \sin^2 x, \log_2 8, \sin 2x \cos x.
  MathNode parse_call(const std::string& name);
  MathNode parse_call_argument();
  MathNode parse_brackets(const std::string& open);
  MathNode parse_braces(const std::string& open);
  MathNode parse_bars();
  MathNode parse_matrix();
  // What `parse` reads, with a "|" in it opening and not closing.
  MathNode in_brackets(MathNode (MathGrammar::*parse)());

  std::vector<MathToken> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // whether a "|" closes: brackets inside |...| begin anew
  bool failed_ = false;
};

}  // namespace fathom
