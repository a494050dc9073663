// The atoms of math_grammar.h: numbers, names, functions, and what stands in brackets.
#include "answers/math_grammar.h"

namespace fathom {

using enum MathKind;
using Kind = MathTokenKind;

namespace {

bool is_integer(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

// Repeating decimals and powers of ten as expressions: 0.1(6) = 0.1 + 6/90.
MathNode written(const std::string& text) {
  if (const size_t e = text.find('e'); e != std::string::npos) {
    const bool negative = text[e + 1] == '-';
    MathNode exponent = math_node(number, text.substr(e + 1 + negative));
    if (negative) exponent = math_node_of(negate, "", std::move(exponent));
    return math_node_of(multiply, "", math_node(number, text.substr(0, e)),
                        math_node_of(power, "", math_node(number, "10"), std::move(exponent)));
  }
  const size_t open = text.find('(');
  if (open == std::string::npos) return math_node(number, text);
  const std::string repeating = text.substr(open + 1, text.size() - open - 2);
  const size_t shift = open - text.find('.') - 1;
  MathNode tail =
      math_node_of(divide, "", math_node(number, repeating),
                   math_node(number, std::string(repeating.size(), '9') + std::string(shift, '0')));
  std::string start = text.substr(0, open);
  if (start.ends_with('.')) start.pop_back();
  return math_node_of(add, "", math_node(number, start), std::move(tail));
}

}  // namespace

MathNode MathGrammar::parse_atom() {
  const MathToken token = peek();
  if (token.kind == Kind::end) return fail();
  ++at_;
  switch (token.kind) {
    case Kind::number:
      return parse_number(token.text);
    case Kind::symbol:
      return parse_symbol(token.text);
    case Kind::function:
      return parse_call(token.text);
    case Kind::text:
      return math_node(words, token.text);
    default:
      return parse_marked(token.text);
  }
}

MathNode MathGrammar::parse_marked(const std::string& mark) {
  if (mark == "(" || mark == "[") return parse_brackets(mark);
  if (mark == "{" || mark == "\\{") return parse_braces(mark);
  if (mark == "|") return parse_bars();
  if (mark == "frac" || mark == "binom") {
    MathNode upper = parse_argument();
    return math_node_of(mark == "frac" ? divide : binomial, "", std::move(upper), parse_argument());
  }
  if (mark == "sqrt") return parse_root();
  if (mark == "plain sqrt") return math_node_of(call, "root", parse_power(), math_node(number, "2"));
  if (mark == "lfloor" || mark == "lceil") {
    MathNode inside = in_brackets(&MathGrammar::parse_sum);
    expect(mark == "lfloor" ? "rfloor" : "rceil");
    return math_node_of(call, mark == "lfloor" ? "floor" : "ceil", std::move(inside));
  }
  if (mark == "empty") return math_node(set);
  return mark == "begin" ? parse_matrix() : fail();
}

MathNode MathGrammar::parse_number(const std::string& text) {
  MathNode value = written(text);
  if (accept("_")) {
    const MathNode base = parse_argument();
    return base.kind == number ? math_node(based, text + "_" + base.text) : fail();
  }
  if (!is_integer(text)) return value;
  // Mixed numbers: 3\frac{1}{2}, and 3 1/2.
  if (accept("frac")) {
    MathNode upper = parse_argument(), lower = parse_argument();
    const MathKind kind = upper.kind == number && lower.kind == number ? add : multiply;
    return math_node_of(kind, "", std::move(value),
                        math_node_of(divide, "", std::move(upper), std::move(lower)));
  }
  if (peek().kind == Kind::number && peek().spaced && peek(1).is("/") && peek(2).kind == Kind::number) {
    at_ += 3;
    return math_node_of(
        add, "", std::move(value),
        math_node_of(divide, "", written(tokens_[at_ - 3].text), written(tokens_[at_ - 1].text)));
  }
  return value;
}

MathNode MathGrammar::parse_symbol(std::string name) {
  if (!accept("_")) return math_node(symbol, std::move(name));
  const size_t begin = at_;
  const MathNode index = parse_argument();
  name += "_";
  if (index.kind == number || index.kind == symbol) return math_node(symbol, name + index.text);
  for (size_t i = begin; i < at_; ++i) name += tokens_[i].text;
  return math_node(symbol, std::move(name));
}

MathNode MathGrammar::parse_argument() {
  MathToken& token = tokens_[at_];
  if (token.kind == Kind::number && token.text.size() > 1 && is_integer(token.text)) {
    const std::string digit = token.text.substr(0, 1);
    token.text.erase(0, 1);
    return math_node(number, digit);
  }
  if (token.is("{")) {
    ++at_;
    MathNode inside = in_brackets(&MathGrammar::parse_sum);
    expect("}");
    return inside;
  }
  if (token.kind != Kind::number && token.kind != Kind::symbol) return fail();
  ++at_;
  return math_node(token.kind == Kind::number ? number : symbol, token.text);
}

MathNode MathGrammar::parse_root() {
  MathNode index = math_node(number, "2");
  if (accept("[")) {
    index = in_brackets(&MathGrammar::parse_sum);
    expect("]");
  }
  MathNode radicand = peek().is("(") ? parse_atom() : parse_argument();
  return math_node_of(call, "root", std::move(radicand), std::move(index));
}

MathNode MathGrammar::parse_call(const std::string& name) {
  const Deeper deeper(*this);
  MathNode base = math_node(words), exponent = math_node(words);
  if (accept("_")) base = parse_argument();
  if (accept("^")) exponent = parse_exponent();
  MathNode result = math_node_of(call, name, parse_call_argument());
  if (base.kind != words) result.children.push_back(std::move(base));
  if (exponent.kind == words) return result;
  const bool inverse = exponent.kind == negate && exponent.children[0].text == "1";
  if (inverse && (name == "sin" || name == "cos" || name == "tan")) {
    result.text = "arc" + name;
    return result;
  }
  return math_node_of(power, "", std::move(result), std::move(exponent));
}

MathNode MathGrammar::parse_call_argument() {
  if (peek().is("(") || peek().is("{")) return parse_atom();
  if (accept("-")) return math_node_of(negate, "", parse_call_argument());
  MathNode argument = parse_power();
  while (begins_factor() && peek().kind != Kind::function && !peek().is("("))
    argument = math_node_of(multiply, "", std::move(argument), parse_power());
  return argument;
}

MathNode MathGrammar::parse_brackets(const std::string& open) {
  MathNode inside = in_brackets(&MathGrammar::parse_list);
  if (!next_is({")", "]"})) return fail();
  const std::string brackets = open + tokens_[at_++].text;
  if (inside.kind == list) return {tuple, brackets, std::move(inside.children)};
  return brackets == "()" || brackets == "[]" ? inside : fail();
}

MathNode MathGrammar::parse_braces(const std::string& open) {
  const std::string_view close = open == "{" ? "}" : "\\}";
  if (accept(close)) return open == "{" ? fail() : math_node(set);
  MathNode inside = in_brackets(&MathGrammar::parse_list);
  expect(close);
  if (inside.kind == list) return {set, "", std::move(inside.children)};
  return open == "{" ? std::move(inside) : math_node_of(set, "", std::move(inside));
}

MathNode MathGrammar::parse_bars() {
  const int before = bars_;
  bars_ = 1;
  MathNode inside = parse_sum();
  bars_ = before;
  expect("|");
  return math_node_of(call, "abs", std::move(inside));
}

MathNode MathGrammar::in_brackets(MathNode (MathGrammar::*parse)()) {
  const Deeper deeper(*this);
  const int before = std::exchange(bars_, 0);
  MathNode inside = (this->*parse)();
  bars_ = before;
  return inside;
}

MathNode MathGrammar::parse_matrix() {
  MathNode rows = math_node(matrix);
  do {
    if (peek().is("end")) break;  // after a last "\\"
    MathNode line = math_node(row);
    do line.children.push_back(in_brackets(&MathGrammar::parse_sum));
    while (accept("&"));
    rows.children.push_back(std::move(line));
  } while (accept("\\\\"));
  expect("end");
  return rows;
}

}  // namespace fathom
