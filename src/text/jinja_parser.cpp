#include <charconv>

#include "base/error.h"
#include "text/jinja_lexer.h"
#include "text/jinja_syntax.h"

namespace fathom::jinja {
namespace {

constexpr int deepest = 200;  // of nested expressions and statements

using Kind = Token::Kind;

class Parser {
 public:
  Parser(std::vector<Token> tokens, const std::string& name) : tokens_(std::move(tokens)), name_(name) {}

  Block run() {
    Block block = statements({});
    if (now().kind == Kind::block_begin) fail_here("'{}' without its beginning", tokens_[at_ + 1].text);
    return block;
  }

 private:
  template <class... Args>
  [[noreturn]] void fail_here(fmt::format_string<Args...> format, Args&&... args) const {
    fail("{}, line {}: {}", name_, now().line, fmt::format(format, std::forward<Args>(args)...));
  }
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  bool is(Kind kind, std::string_view text) const { return now().kind == kind && now().text == text; }
  bool is_symbol(std::string_view text) const { return is(Kind::symbol, text); }
  bool is_word(std::string_view text) const { return is(Kind::name, text); }
  bool take_symbol(std::string_view text) { return is_symbol(text) && (++at_, true); }
  bool take_word(std::string_view text) { return is_word(text) && (++at_, true); }
  void expect_symbol(std::string_view text) {
    if (!take_symbol(text)) fail_here("expected '{}', not '{}'", text, now().text);
  }
  void expect(Kind kind, std::string_view text) {
    if (now().kind != kind) fail_here("expected '{}', not '{}'", text, now().text);
    ++at_;
  }
  std::string expect_name(const char* what) {
    if (now().kind != Kind::name) fail_here("expected {}, not '{}'", what, now().text);
    return tokens_[at_++].text;
  }

  // Counts the depth while it lives.
  class Nested {
   public:
    explicit Nested(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > deepest) parser_.fail_here("nested more than {} deep", deepest);
    }
    ~Nested() { --parser_.depth_; }

   private:
    Parser& parser_;
  };

  // Statements up to a block that begins with one of these words, which is left where it is.
  Block statements(std::initializer_list<std::string_view> until) {
    const Nested nested(*this);
    Block block;
    while (now().kind != Kind::end) {
      if (now().kind == Kind::text) {
        block.push_back({.kind = Statement::Kind::text, .line = now().line, .text = now().text});
        ++at_;
      } else if (now().kind == Kind::output_begin) {
        Statement s{.kind = Statement::Kind::output, .line = now().line};
        ++at_;
        s.expr = expression();
        expect(Kind::output_end, "}}");
        block.push_back(std::move(s));
      } else {
        for (const std::string_view word : until)
          if (ahead().kind == Kind::name && ahead().text == word) return block;
        if (ahead().text.starts_with("end") || ahead().text == "else" || ahead().text == "elif") return block;
        block.push_back(statement());
      }
    }
    return block;
  }

  Statement statement() {
    ++at_;
    Statement s{.line = now().line};
    const std::string word = expect_name("a statement");
    if (word == "if")
      condition(s);
    else if (word == "for")
      loop(s);
    else if (word == "set")
      set(s);
    else if (word == "macro")
      macro(s);
    else if (word == "generation")
      s.kind = Statement::Kind::scope, end_block(), s.branches.push_back({{}, body("endgeneration")});
    else if (word == "break" || word == "continue")
      s.kind = word == "break" ? Statement::Kind::stop : Statement::Kind::next, end_block();
    else
      fail("{}, line {}: the statement '{}' is not supported", name_, s.line, word);
    return s;
  }
  void end_block() { expect(Kind::block_end, "%}"); }

  // Up to this end, which is taken.
  Block body(std::string_view end) {
    Block block = statements({end});
    if (now().kind != Kind::block_begin || ahead().text != end)
      fail_here("expected '{}', not '{}'", end, now().kind == Kind::block_begin ? ahead().text : now().text);
    at_ += 2;
    end_block();
    return block;
  }
  static Expr always(int line) { return {.kind = Expr::Kind::literal, .line = line, .value = Value(true)}; }

  void condition(Statement& s) {
    s.kind = Statement::Kind::condition;
    s.branches.push_back({expression(), {}});
    end_block();
    while (true) {
      s.branches.back().body = statements({"elif", "else", "endif"});
      if (now().kind != Kind::block_begin) fail_here("expected 'endif', not '{}'", now().text);
      const std::string word = ahead().text;
      if (word != "elif" && word != "else" && word != "endif") fail_here("expected 'endif', not '{}'", word);
      at_ += 2;
      if (word == "elif") s.branches.push_back({expression(), {}});
      if (word == "else") s.branches.push_back({always(s.line), {}});
      end_block();
      if (word == "endif") return;
    }
  }

  void loop(Statement& s) {
    s.kind = Statement::Kind::loop;
    do s.names.push_back(expect_name("a name"));
    while (take_symbol(","));
    if (!take_word("in")) fail_here("expected 'in', not '{}'", now().text);
    s.expr = or_expression();  // an "if" behind it is the loop's own
    s.branches.push_back({take_word("if") ? expression() : always(s.line), {}});
    if (is_word("recursive")) fail_here("'recursive' is not supported");
    end_block();
    s.branches[0].body = statements({"else", "endfor"});
    if (now().kind == Kind::block_begin && ahead().text == "else") {
      at_ += 2;
      end_block();
      s.branches.push_back({always(s.line), body("endfor")});
      return;
    }
    if (now().kind != Kind::block_begin || ahead().text != "endfor")
      fail_here("expected 'endfor', not '{}'", ahead().text);
    at_ += 2;
    end_block();
  }

  void set(Statement& s) {
    s.names.push_back(expect_name("a name"));
    if (take_symbol("."))
      s.attribute = expect_name("an attribute");
    else
      while (take_symbol(",")) s.names.push_back(expect_name("a name"));
    if (take_symbol("=")) {
      s.kind = Statement::Kind::set;
      s.expr = tuple();
      return end_block();
    }
    s.kind = Statement::Kind::set_block;
    end_block();
    s.branches.push_back({always(s.line), body("endset")});
  }

  void macro(Statement& s) {
    s.kind = Statement::Kind::macro;
    s.names.push_back(expect_name("a name"));
    expect_symbol("(");
    while (!take_symbol(")")) {
      const std::string parameter = expect_name("a parameter");
      s.names.push_back(parameter);
      if (take_symbol("=")) s.defaults.emplace_back(parameter, expression());
      if (!is_symbol(")")) expect_symbol(",");
    }
    end_block();
    s.branches.push_back({always(s.line), body("endmacro")});
  }

  // Expressions, loosest first.
  Expr tuple() {
    Expr first = expression();
    if (!is_symbol(",")) return first;
    Expr list{.kind = Expr::Kind::list, .line = first.line};
    list.args.push_back(std::move(first));
    while (take_symbol(",")) list.args.push_back(expression());
    return list;
  }

  Expr expression() {
    const Nested nested(*this);
    Expr value = or_expression();
    while (is_word("if")) {
      const int line = now().line;
      ++at_;
      Expr condition = or_expression();
      Expr otherwise{.kind = Expr::Kind::literal, .line = line};
      if (take_word("else")) otherwise = expression();
      Expr e{.kind = Expr::Kind::conditional, .line = line};
      e.args = {std::move(value), std::move(condition), std::move(otherwise)};
      value = std::move(e);
    }
    return value;
  }

  Expr binary(Expr left, std::string op, Expr right, int line) {
    Expr e{.kind = Expr::Kind::binary, .line = line, .name = std::move(op)};
    e.args.push_back(std::move(left)), e.args.push_back(std::move(right));
    return e;
  }
  // Left to right: operands of `next`, between them one of these symbols.
  template <class Next>
  Expr chain(const Next& next, std::initializer_list<std::string_view> symbols) {
    Expr left = next();
    while (true) {
      std::string_view found;
      for (const std::string_view s : symbols)
        if (is_symbol(s)) found = s;
      if (found.empty()) return left;
      const int line = now().line;
      ++at_;
      left = binary(std::move(left), std::string(found), next(), line);
    }
  }

  Expr or_expression() {
    Expr left = and_expression();
    while (is_word("or")) {
      const int line = now().line;
      ++at_;
      left = binary(std::move(left), "or", and_expression(), line);
    }
    return left;
  }
  Expr and_expression() {
    Expr left = not_expression();
    while (is_word("and")) {
      const int line = now().line;
      ++at_;
      left = binary(std::move(left), "and", not_expression(), line);
    }
    return left;
  }
  Expr unary(const char* op, Expr operand, int line) {
    Expr e{.kind = Expr::Kind::unary, .line = line, .name = op};
    e.args.push_back(std::move(operand));
    return e;
  }
  Expr not_expression() {
    const Nested nested(*this);
    const int line = now().line;
    if (is_word("not") && !(ahead().kind == Kind::name && ahead().text == "in")) {
      ++at_;
      return unary("not", not_expression(), line);
    }
    return comparison();
  }

  // a < b < c is a < b and b < c.
  Expr comparison() {
    Expr left = sum();
    Expr all{.kind = Expr::Kind::literal};
    bool compared = false;
    while (true) {
      const int line = now().line;
      std::string op;
      for (const std::string_view s : {"==", "!=", "<=", ">=", "<", ">"})
        if (op.empty() && is_symbol(s)) op = s;
      const bool inside = is_word("in"),
                 outside = is_word("not") && ahead().kind == Kind::name && ahead().text == "in";
      if (op.empty() && !inside && !outside) return compared ? all : left;
      at_ += outside ? 2 : 1;
      Expr right = sum();
      Expr one = binary(left, inside || outside ? "in" : op, right, line);
      if (outside) one = unary("not", std::move(one), line);
      all = compared ? binary(std::move(all), "and", std::move(one), line) : std::move(one);
      compared = true;
      left = std::move(right);
    }
  }

  Expr sum() {
    return chain([&] { return concatenation(); }, {"+", "-"});
  }
  Expr concatenation() {
    return chain([&] { return product(); }, {"~"});
  }
  Expr product() {
    return chain([&] { return power(); }, {"*", "/", "//", "%"});
  }
  Expr power() {
    return chain([&] { return signed_value(true); }, {"**"});
  }

  Expr signed_value(bool filtered) {
    const Nested nested(*this);
    const int line = now().line;
    Expr value = take_symbol("-")   ? unary("-", signed_value(false), line)
                 : take_symbol("+") ? unary("+", signed_value(false), line)
                                    : postfix(primary());
    return filtered ? filters(std::move(value)) : value;
  }

  Expr literal(Value value, int line) {
    return {.kind = Expr::Kind::literal, .line = line, .value = std::move(value)};
  }

  Expr primary() {
    const Token t = now();
    switch (t.kind) {
      case Kind::string: {
        std::string text;
        for (; now().kind == Kind::string; ++at_) text += now().text;
        return literal(Text(text, false), t.line);
      }
      case Kind::integer: {
        int64_t n = 0;
        const auto end = std::from_chars(t.text.data(), t.text.data() + t.text.size(), n);
        if (end.ec != std::errc()) fail_here("{} is too large", t.text);
        ++at_;
        return literal(n, t.line);
      }
      case Kind::real:
        ++at_;
        return literal(std::strtod(t.text.c_str(), nullptr), t.line);
      case Kind::name:
        ++at_;
        if (t.text == "true" || t.text == "True") return literal(true, t.line);
        if (t.text == "false" || t.text == "False") return literal(false, t.line);
        if (t.text == "none" || t.text == "None") return literal(Value::None(), t.line);
        return {.kind = Expr::Kind::name, .line = t.line, .name = t.text};
      default:
        break;
    }
    if (take_symbol("(")) {
      if (take_symbol(")")) return {.kind = Expr::Kind::list, .line = t.line};
      Expr inner = tuple();
      expect_symbol(")");
      return inner;
    }
    if (take_symbol("[")) return sequence(Expr::Kind::list, "]", t.line);
    if (take_symbol("{")) return sequence(Expr::Kind::dict, "}", t.line);
    fail_here("expected an expression, not '{}'", t.text);
  }

  // Of a list, or of a dictionary: keys and values in turn.
  Expr sequence(Expr::Kind kind, std::string_view close, int line) {
    Expr e{.kind = kind, .line = line};
    while (!take_symbol(close)) {
      e.args.push_back(expression());
      if (kind == Expr::Kind::dict) expect_symbol(":"), e.args.push_back(expression());
      if (!is_symbol(close)) expect_symbol(",");
    }
    return e;
  }

  void arguments(Expr& call) {
    while (!take_symbol(")")) {
      if (now().kind == Kind::name && ahead().kind == Kind::symbol && ahead().text == "=") {
        const std::string name = now().text;
        at_ += 2;
        call.named.emplace_back(name, expression());
      } else {
        call.args.push_back(expression());
      }
      if (!is_symbol(")")) expect_symbol(",");
    }
  }

  Expr postfix(Expr value) {
    while (true) {
      const int line = now().line;
      if (take_symbol(".")) {
        Expr e{.kind = Expr::Kind::attribute, .line = line, .name = expect_name("an attribute")};
        e.args.push_back(std::move(value));
        if (take_symbol("(")) e.kind = Expr::Kind::method, arguments(e);
        value = std::move(e);
      } else if (take_symbol("[")) {
        value = subscript(std::move(value), line);
      } else if (is_symbol("(") && value.kind == Expr::Kind::name) {
        ++at_;
        Expr e{.kind = Expr::Kind::call, .line = line, .name = value.name};
        arguments(e);
        value = std::move(e);
      } else {
        return value;
      }
    }
  }

  Expr subscript(Expr value, int line) {
    Expr e{.kind = Expr::Kind::item, .line = line};
    e.args.push_back(std::move(value));
    const auto bound = [&] {
      const bool absent = is_symbol(":") || is_symbol("]");
      e.args.push_back(absent ? literal(Value::None(), line) : expression());
    };
    bound();
    if (is_symbol(":")) {
      e.kind = Expr::Kind::slice;
      ++at_, bound();
      if (take_symbol(":"))
        bound();
      else
        e.args.push_back(literal(Value::None(), line));
    } else if (e.args[1].kind == Expr::Kind::literal && e.args[1].value.is_none()) {
      fail_here("expected an index");
    }
    expect_symbol("]");
    return e;
  }

  Expr filters(Expr value) {
    while (true) {
      const int line = now().line;
      if (take_symbol("|")) {
        Expr e{.kind = Expr::Kind::filter, .line = line, .name = expect_name("a filter")};
        e.args.push_back(std::move(value));
        if (take_symbol("(")) arguments(e);
        value = std::move(e);
      } else if (take_word("is")) {
        const bool negated = take_word("not");
        Expr e{.kind = Expr::Kind::test, .line = line, .name = expect_name("a test")};
        e.args.push_back(std::move(value));
        if (take_symbol("(")) arguments(e);
        value = negated ? unary("not", std::move(e), line) : std::move(e);
      } else {
        return value;
      }
    }
  }

  std::vector<Token> tokens_;
  const std::string& name_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Block parse_template(std::string_view source, const std::string& name) {
  return Parser(tokenize_template(source, name), name).run();
}

}  // namespace fathom::jinja
