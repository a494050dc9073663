// Recursive descent, from what binds least: lists, relations, unions, sums, products, signs, powers, atoms. A
// failure jumps to the end token, so that every loop ends.
#include "answers/math_parser.h"

#include <algorithm>
#include <initializer_list>

#include "answers/math_lexer.h"

namespace fathom {
namespace {

using enum MathKind;
using Kind = MathTokenKind;

constexpr int max_depth = 150;  // several for a pair of brackets

bool is_integer(const std::string& text) {
  return text.find_first_not_of("0123456789") == std::string::npos;
}

class Parser {
 public:
  explicit Parser(std::vector<MathToken> tokens) : tokens_(std::move(tokens)) {}

  std::optional<MathNode> run() {
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

 private:
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
    return math_node(words);
  }

  // Counts the nesting of what calls itself.
  struct Deeper {
    explicit Deeper(Parser& parser) : parser(parser) {
      if (++parser.depth_ > max_depth) parser.fail();
    }
    ~Deeper() { --parser.depth_; }
    Parser& parser;
  };

  MathNode parse_list() {
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

  // a < b <= c is a chain of its neighbours' relations. ">" is "<" the other way round.
  MathNode parse_relation() {
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

  MathNode parse_union() {
    MathNode left = parse_sum();
    while (next_is({"cup", "cap", "without"})) {
      const std::string mark = tokens_[at_++].text;
      const MathKind kind = mark == "cup" ? join : mark == "cap" ? meet : without;
      left = math_node_of(kind, "", std::move(left), parse_sum());
    }
    return left;
  }

  MathNode parse_sum() {
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

  MathNode parse_product() {
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

  // Whether the next token begins a factor that needs no sign of multiplication.
  bool begins_factor() const {
    const Kind kind = peek().kind;
    if (kind == Kind::number || kind == Kind::symbol || kind == Kind::function) return true;
    return next_is({"(", "{", "frac", "sqrt", "plain sqrt", "binom", "lfloor", "lceil"}) ||
           (peek().is("|") && bars_ == 0);
  }

  MathNode parse_signed() {
    const Deeper deeper(*this);
    if (accept("+")) return parse_signed();
    if (accept("-")) return math_node_of(negate, "", parse_signed());
    if (accept("pm")) return math_node_of(plus_minus, "", math_node(number, "0"), parse_signed());
    if (accept("mp")) return math_node_of(minus_plus, "", math_node(number, "0"), parse_signed());
    return parse_power();
  }

  MathNode parse_power() {
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

  MathNode raised(MathNode base) {
    if (accept("degree")) return math_node_of(degree, "", std::move(base));
    if (peek().is("{") && peek(1).is("degree") && peek(2).is("}")) {
      at_ += 3;
      return math_node_of(degree, "", std::move(base));
    }
    return math_node_of(power, "", std::move(base), parse_exponent());
  }

  // x^10 and x^-1 are read as models mean them, not as LaTeX would set them.
  MathNode parse_exponent() {
    const Deeper deeper(*this);
    if (accept("-")) return math_node_of(negate, "", parse_exponent());
    MathNode exponent = parse_atom();
    return peek().is("^") ? (++at_, math_node_of(power, "", std::move(exponent), parse_exponent()))
                          : exponent;
  }

  // "cm", or "cm^2": what is measured is not part of the value.
  void skip_unit() {
    ++at_;
    if (!accept("^")) return;
    const bool braced = accept("{");
    if (peek().kind != Kind::number) return void(fail());
    ++at_;
    if (braced) expect("}");
  }

  MathNode parse_atom() {
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

  MathNode parse_marked(const std::string& mark) {
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
      MathNode inside = in_brackets(&Parser::parse_sum);
      expect(mark == "lfloor" ? "rfloor" : "rceil");
      return math_node_of(call, mark == "lfloor" ? "floor" : "ceil", std::move(inside));
    }
    if (mark == "empty") return math_node(set);
    return mark == "begin" ? parse_matrix() : fail();
  }

  MathNode parse_number(const std::string& text) {
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

  // Repeating decimals and powers of ten as expressions: 0.1(6) = 0.1 + 6/90.
  static MathNode written(const std::string& text) {
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

  MathNode parse_symbol(std::string name) {
    if (!accept("_")) return math_node(symbol, std::move(name));
    const size_t begin = at_;
    const MathNode index = parse_argument();
    name += "_";
    if (index.kind == number || index.kind == symbol) return math_node(symbol, name + index.text);
    for (size_t i = begin; i < at_; ++i) name += tokens_[i].text;
    return math_node(symbol, std::move(name));
  }

  // LaTeX's argument: a group, or one digit or letter.
  MathNode parse_argument() {
    MathToken& token = tokens_[at_];
    if (token.kind == Kind::number && token.text.size() > 1 && is_integer(token.text)) {
      const std::string digit = token.text.substr(0, 1);
      token.text.erase(0, 1);
      return math_node(number, digit);
    }
    if (token.is("{")) {
      ++at_;
      MathNode inside = in_brackets(&Parser::parse_sum);
      expect("}");
      return inside;
    }
    if (token.kind != Kind::number && token.kind != Kind::symbol) return fail();
    ++at_;
    return math_node(token.kind == Kind::number ? number : symbol, token.text);
  }

  MathNode parse_root() {
    MathNode index = math_node(number, "2");
    if (accept("[")) {
      index = in_brackets(&Parser::parse_sum);
      expect("]");
    }
    MathNode radicand = peek().is("(") ? parse_atom() : parse_argument();
    return math_node_of(call, "root", std::move(radicand), std::move(index));
  }

  // \sin^2 x, \log_2 8, \sin 2x \cos x.
  MathNode parse_call(const std::string& name) {
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

  MathNode parse_call_argument() {
    if (peek().is("(") || peek().is("{")) return parse_atom();
    if (accept("-")) return math_node_of(negate, "", parse_call_argument());
    MathNode argument = parse_power();
    while (begins_factor() && peek().kind != Kind::function && !peek().is("("))
      argument = math_node_of(multiply, "", std::move(argument), parse_power());
    return argument;
  }

  MathNode parse_brackets(const std::string& open) {
    MathNode inside = in_brackets(&Parser::parse_list);
    if (!next_is({")", "]"})) return fail();
    const std::string brackets = open + tokens_[at_++].text;
    if (inside.kind == list) return {tuple, brackets, std::move(inside.children)};
    return brackets == "()" || brackets == "[]" ? inside : fail();
  }

  MathNode parse_braces(const std::string& open) {
    const std::string_view close = open == "{" ? "}" : "\\}";
    if (accept(close)) return open == "{" ? fail() : math_node(set);
    MathNode inside = in_brackets(&Parser::parse_list);
    expect(close);
    if (inside.kind == list) return {set, "", std::move(inside.children)};
    return open == "{" ? std::move(inside) : math_node_of(set, "", std::move(inside));
  }

  MathNode parse_bars() {
    const int before = bars_;
    bars_ = 1;
    MathNode inside = parse_sum();
    bars_ = before;
    expect("|");
    return math_node_of(call, "abs", std::move(inside));
  }

  MathNode in_brackets(MathNode (Parser::*parse)()) {
    const Deeper deeper(*this);
    const int before = std::exchange(bars_, 0);
    MathNode inside = (this->*parse)();
    bars_ = before;
    return inside;
  }

  MathNode parse_matrix() {
    MathNode rows = math_node(matrix);
    do {
      if (peek().is("end")) break;  // after a last "\\"
      MathNode line = math_node(row);
      do line.children.push_back(in_brackets(&Parser::parse_sum));
      while (accept("&"));
      rows.children.push_back(std::move(line));
    } while (accept("\\\\"));
    expect("end");
    return rows;
  }

  std::vector<MathToken> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
  int bars_ = 0;  // whether a "|" closes: brackets inside |...| begin anew
  bool failed_ = false;
};

}  // namespace

std::optional<MathNode> parse_math(std::string_view text) {
  if (text.size() > max_math_text) return std::nullopt;
  std::optional<std::vector<MathToken>> tokens = math_tokens(text);
  return tokens ? Parser(std::move(*tokens)).run() : std::nullopt;
}

}  // namespace fathom
