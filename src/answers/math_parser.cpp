#include "answers/math_parser.h"

#include "answers/math_grammar.h"

namespace fathom {

using enum MathKind;
using Kind = MathTokenKind;

std::optional<MathNode> MathGrammar::run() {
  const auto ends_with_separator = [&] {
    if (tokens_.size() < 2) return false;
    const MathToken& last = tokens_[tokens_.size() - 2];
    return last.is(",") || last.is(";") || last.is(":");
  };
  while (ends_with_separator()) tokens_.erase(tokens_.end() - 2);
  MathNode answer = parse_list();
  if (failed_ || peek().kind != Kind::end) return std::nullopt;
  return answer;
}

MathNode MathGrammar::parse_list() {
  const Deeper deeper(*this);
  MathNode first = parse_relation();
  if (!next_is({",", ";", "or", "and"})) return first;
  MathNode elements = math_node_of(list, "", std::move(first));
  while (next_is({",", ";", "or", "and"})) {
    while (next_is({",", ";", "or", "and"})) {
      if (peek().is("and")) elements.text = "and";
      ++at_;
    }
    elements.children.push_back(parse_relation());
  }
  return elements;
}

MathNode MathGrammar::parse_relation() {
  std::vector<MathNode> relations;
  MathNode left = parse_union();
  while (next_is({"=", "!=", "<", "<=", ">", ">=", "in"})) {
    const std::string mark = tokens_[at_++].text;
    MathNode right = parse_union();
    if (mark == "in")
      relations.push_back(math_node_of(member, "", std::move(left), right));
    else if (mark[0] == '>')
      relations.push_back(math_node_of(relation, mark == ">" ? "<" : "<=", right, std::move(left)));
    else
      relations.push_back(math_node_of(relation, mark, std::move(left), right));
    left = std::move(right);
  }
  if (relations.empty()) return left;
  if (relations.size() == 1) return std::move(relations[0]);
  return {chain, "", std::move(relations)};
}

MathNode MathGrammar::parse_union() {
  MathNode left = parse_sum();
  while (next_is({"cup", "cap", "without"})) {
    const std::string mark = tokens_[at_++].text;
    const MathKind kind = mark == "cup" ? join : mark == "cap" ? meet : without;
    left = math_node_of(kind, "", std::move(left), parse_sum());
  }
  return left;
}

MathNode MathGrammar::parse_sum() {
  MathNode left = parse_product();
  while (next_is({"+", "-", "pm", "mp"})) {
    const std::string mark = tokens_[at_++].text;
    MathNode right = parse_product();
    if (mark == "-") right = math_node_of(negate, "", std::move(right));
    left = math_node_of(mark == "pm"   ? plus_minus
                        : mark == "mp" ? minus_plus
                                       : add,
                        "", std::move(left), std::move(right));
  }
  return left;
}

MathNode MathGrammar::parse_product() {
  MathNode left = parse_signed();
  for (;;) {
    if (accept("*")) {
      left = math_node_of(multiply, "", std::move(left), parse_signed());
    } else if (accept("/") || accept(":")) {
      left = math_node_of(divide, "", std::move(left), parse_signed());
    } else if (begins_factor() && !(left.kind == number && peek().kind == Kind::number)) {
      left = math_node_of(multiply, "", std::move(left), parse_power());
    } else {
      return left;
    }
  }
}

bool MathGrammar::begins_factor() const {
  const Kind kind = peek().kind;
  if (kind == Kind::number || kind == Kind::symbol || kind == Kind::function) return true;
  return next_is({"(", "{", "frac", "sqrt", "plain sqrt", "binom", "lfloor", "lceil"}) ||
         (peek().is("|") && bars_ == 0);
}

MathNode MathGrammar::parse_signed() {
  const Deeper deeper(*this);
  if (accept("+")) return parse_signed();
  if (accept("-")) return math_node_of(negate, "", parse_signed());
  if (accept("pm")) return math_node_of(plus_minus, "", math_node(number, "0"), parse_signed());
  if (accept("mp")) return math_node_of(minus_plus, "", math_node(number, "0"), parse_signed());
  return parse_power();
}

MathNode MathGrammar::parse_power() {
  const Deeper deeper(*this);
  MathNode base = parse_atom();
  for (;;) {
    if (accept("^"))
      base = raised(std::move(base));
    else if (accept("!"))
      base = math_node_of(factorial, "", std::move(base));
    else if (accept("%"))
      base = math_node_of(percent, "", std::move(base));
    else if (accept("degree"))
      base = math_node_of(degree, "", std::move(base));
    else if (peek().kind == Kind::text)
      skip_unit();
    else
      return base;
  }
}

MathNode MathGrammar::raised(MathNode base) {
  if (accept("degree")) return math_node_of(degree, "", std::move(base));
  if (peek().is("{") && peek(1).is("degree") && peek(2).is("}")) {
    at_ += 3;
    return math_node_of(degree, "", std::move(base));
  }
  return math_node_of(power, "", std::move(base), parse_exponent());
}

MathNode MathGrammar::parse_exponent() {
  const Deeper deeper(*this);
  if (accept("-")) return math_node_of(negate, "", parse_exponent());
  MathNode exponent = parse_atom();
  return peek().is("^") ? (++at_, math_node_of(power, "", std::move(exponent), parse_exponent())) : exponent;
}

void MathGrammar::skip_unit() {
  ++at_;
  if (!accept("^")) return;
  const bool braced = accept("{");
  if (peek().kind != Kind::number) return void(fail());
  ++at_;
  if (braced) expect("}");
}

std::optional<MathNode> parse_math(std::string_view text) {
  if (text.size() > max_math_text) return std::nullopt;
  std::optional<std::vector<MathToken>> tokens = math_tokens(text);
  return tokens ? MathGrammar(std::move(*tokens)).run() : std::nullopt;
}

}  // namespace fathom
