#include "text/jinja.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/error.h"
#include "text/jinja_functions.h"

namespace fathom::jinja {
namespace {

enum class Flow { on, stop, next };

// One rendering.
class Renderer {
 public:
  Renderer(const std::string& name, Dict variables, const Limits& limits) : name_(name), limits_(limits) {
    scopes_.push_back(std::move(variables));
  }

  Text run(const Block& block) {
    execute(block);
    return std::move(out_);
  }

 private:
  template <class... Args>
  [[noreturn]] void fail_at(int line, fmt::format_string<Args...> format, Args&&... args) const {
    at(line).fail(format, std::forward<Args>(args)...);
  }
  void step(int line) {
    if (++steps_ > limits_.steps) fail_at(line, "the template takes more than {} steps", limits_.steps);
  }
  Place at(int line) const { return {name_, line}; }
  const Text& bounded(const Text& text, int line) const {
    if (text.size() > limits_.output) fail_at(line, "a text of more than {} bytes", limits_.output);
    return text;
  }

  // The innermost variable of this name.
  const Value* variable(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
      if (const Value* found = find(*scope, name)) return found;
    return nullptr;
  }

  void write(const Text& text, int line) {
    out_ += text;
    bounded(out_, line);
  }

  Flow execute(const Block& block) {
    for (const Statement& s : block)
      if (const Flow flow = execute(s); flow != Flow::on) return flow;
    return Flow::on;
  }

  Flow execute(const Statement& s) {
    step(s.line);
    switch (s.kind) {
      case Statement::Kind::text:
        write(Text(s.text, false), s.line);
        break;
      case Statement::Kind::output:
        write(known(s.expr).str(), s.line);
        break;
      case Statement::Kind::condition:
        for (const Branch& b : s.branches)
          if (evaluate(b.condition).truth()) return execute(b.body);
        break;
      case Statement::Kind::loop:
        return loop(s);
      case Statement::Kind::set:
        assign(s, evaluate(s.expr));
        break;
      case Statement::Kind::set_block:
        assign(s, captured(s.branches[0].body));
        break;
      case Statement::Kind::macro:
        macros_.push_back(&s);
        break;
      case Statement::Kind::scope:
        return execute(s.branches[0].body);
      case Statement::Kind::stop:
        return Flow::stop;
      case Statement::Kind::next:
        return Flow::next;
    }
    return Flow::on;
  }

  // What a block writes.
  Text captured(const Block& block) {
    Text before = std::exchange(out_, {});
    execute(block);
    return std::exchange(out_, std::move(before));
  }

  void assign(const Statement& s, const Value& value) {
    if (!s.attribute.empty()) {
      const Value* object = variable(s.names[0]);
      if (!object || !object->dict()) fail_at(s.line, "'{}' is no namespace", s.names[0]);
      return set(*object->dict(), s.attribute, value);
    }
    if (s.names.size() == 1) return set(scopes_.back(), s.names[0], value);
    unpack(s, s.names, value);
  }

  void unpack(const Statement& s, const std::vector<std::string>& names, const Value& value) {
    if (names.size() == 1) return set(scopes_.back(), names[0], value);
    const List list = iterate(at(s.line), value);
    if (list.size() != names.size()) fail_at(s.line, "{} values for {} names", list.size(), names.size());
    for (size_t i = 0; i < names.size(); ++i) set(scopes_.back(), names[i], list[i]);
  }

  // What is set in a loop is gone after its turn, as Jinja has it; a namespace's attributes stay.
  Flow loop(const Statement& s) {
    List items = iterate(at(s.line), evaluate(s.expr));
    const Expr& condition = s.branches[0].condition;
    if (condition.kind != Expr::Kind::literal)
      std::erase_if(items, [&](const Value& item) {
        scopes_.emplace_back();
        unpack(s, s.names, item);
        const bool holds = evaluate(condition).truth();
        scopes_.pop_back();
        return !holds;
      });
    if (items.empty() && s.branches.size() > 1) return execute(s.branches[1].body);
    const auto n = static_cast<int64_t>(items.size());
    for (int64_t i = 0; i < n; ++i) {
      step(s.line);
      scopes_.emplace_back();
      unpack(s, s.names, items[static_cast<size_t>(i)]);
      Dict loop = {{"index", i + 1},  {"index0", i},        {"revindex", n - i}, {"revindex0", n - i - 1},
                   {"first", i == 0}, {"last", i + 1 == n}, {"length", n}};
      if (i > 0) loop.emplace_back("previtem", items[static_cast<size_t>(i - 1)]);
      if (i + 1 < n) loop.emplace_back("nextitem", items[static_cast<size_t>(i + 1)]);
      set(scopes_.back(), "loop", Value(std::move(loop)));
      const Flow flow = execute(s.branches[0].body);
      scopes_.pop_back();
      if (flow == Flow::stop) break;
    }
    return Flow::on;
  }

  Value evaluate(const Expr& e) {
    step(e.line);
    using Kind = Expr::Kind;
    switch (e.kind) {
      case Kind::literal:
        return e.value;
      case Kind::name: {
        const Value* found = variable(e.name);
        return found ? *found : Value();
      }
      case Kind::attribute: {
        const Value object = evaluate(e.args[0]);
        return attribute_of(at(e.line), object, e.name);
      }
      case Kind::item: {
        const Value object = evaluate(e.args[0]), key = evaluate(e.args[1]);
        return item_of(at(e.line), object, key);
      }
      case Kind::slice: {
        const Value object = evaluate(e.args[0]), begin = evaluate(e.args[1]), end = evaluate(e.args[2]),
                    by = evaluate(e.args[3]);
        return slice_of(at(e.line), object, begin, end, by);
      }
      case Kind::call:
        return call(e);
      case Kind::method:
      case Kind::filter:
      case Kind::test:
        return applied(e);
      case Kind::unary:
        return unary(e);
      case Kind::binary:
        return binary(e);
      case Kind::conditional:
        return evaluate(e.args[1]).truth() ? evaluate(e.args[0]) : evaluate(e.args[2]);
      case Kind::list: {
        List list;
        for (const Expr& item : e.args) list.push_back(evaluate(item));
        return list;
      }
      case Kind::dict: {
        Dict dict;
        for (size_t i = 0; i < e.args.size(); i += 2)
          set(dict, evaluate(e.args[i]).str().bytes, evaluate(e.args[i + 1]));
        return dict;
      }
    }
    return {};
  }

  Arguments arguments(const Expr& e, size_t first) {
    Arguments a;
    for (size_t i = first; i < e.args.size(); ++i) a.values.push_back(evaluate(e.args[i]));
    for (const auto& [name, value] : e.named) a.named.emplace_back(name, evaluate(value));
    return a;
  }

  // The value of what must not be undefined in strict templates.
  Value known(const Expr& e) {
    Value value = evaluate(e);
    if (limits_.strict && value.is_undefined())
      fail_at(e.line, "{} is undefined", e.name.empty() ? "what is to be written" : "'" + e.name + "'");
    return value;
  }

  Value applied(const Expr& e) {
    const bool may_lack = e.kind == Expr::Kind::test || e.name == "default" || e.name == "d";
    const Value object = may_lack ? evaluate(e.args[0]) : known(e.args[0]);
    const Arguments a = arguments(e, 1);
    if (e.kind == Expr::Kind::test) return call_test(at(e.line), e.name, object, a);
    Value made = e.kind == Expr::Kind::filter ? call_filter(at(e.line), e.name, object, a)
                                              : call_method(at(e.line), e.name, object, a);
    if (const Text* text = made.text()) bounded(*text, e.line);
    return made;
  }

  Value call(const Expr& e) {
    const Arguments a = arguments(e, 0);
    if (e.name == "namespace" || e.name == "dict") {
      Dict dict;
      for (const auto& [name, value] : a.named) set(dict, name, value);
      return dict;
    }
    if (e.name == "raise_exception") fail_at(e.line, "{}", a.get(0, "message").str().bytes);
    if (e.name == "range") return range(a, e.line);
    if (e.name == "strftime_now") return time_text(a.get(0, "format").str().bytes);
    for (auto macro = macros_.rbegin(); macro != macros_.rend(); ++macro)
      if ((*macro)->names[0] == e.name) return call_macro(**macro, a, e.line);
    fail_at(e.line, "the function '{}' is not supported", e.name);
  }

  Value range(const Arguments& a, int line) const {
    int64_t bounds[3] = {0, 0, 1};
    const size_t n = a.values.size();
    for (size_t i = 0; i < std::min<size_t>(n, 3); ++i) {
      if (!a.values[i].get<int64_t>()) fail_at(line, "range needs integers, not {}", a.values[i].type_name());
      bounds[n == 1 ? 1 : i] = *a.values[i].get<int64_t>();
    }
    if (n < 1 || n > 3 || bounds[2] == 0)
      fail_at(line, "range needs one to three integers, the last one not 0");
    List list;
    for (int64_t i = bounds[0]; bounds[2] > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2]) {
      if (std::ssize(list) >= limits_.steps) fail_at(line, "range has more than {} values", limits_.steps);
      list.push_back(i);
    }
    return list;
  }

  static Value time_text(const std::string& format) {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    localtime_r(&now, &parts);
    char buffer[256];
    return Text({buffer, std::strftime(buffer, sizeof(buffer), format.c_str(), &parts)}, false);
  }

  Value call_macro(const Statement& macro, const Arguments& a, int line) {
    if (++depth_ > limits_.depth) fail_at(line, "macros call one another more than {} deep", limits_.depth);
    Dict scope;
    for (size_t i = 1; i < macro.names.size(); ++i) {
      Value value = a.get(i - 1, macro.names[i]);
      for (const auto& [name, otherwise] : macro.defaults)
        if (value.is_undefined() && name == macro.names[i]) value = evaluate(otherwise);
      set(scope, macro.names[i], value);
    }
    scopes_.push_back(std::move(scope));
    Text text = captured(macro.branches[0].body);
    scopes_.pop_back();
    --depth_;
    return text;
  }

  Value unary(const Expr& e) {
    const Value value = evaluate(e.args[0]);
    if (e.name == "not") return !value.truth();
    if (!value.is_number()) fail_at(e.line, "'{}' needs a number, not {}", e.name, value.type_name());
    if (e.name == "+") return value;
    if (value.is_integer()) return arithmetic("-", 0, value.integer(), e.line);
    return -value.number();
  }

  Value binary(const Expr& e) {
    const std::string& op = e.name;
    if (op == "and" || op == "or") {
      const Value left = evaluate(e.args[0]);
      return left.truth() == (op == "or") ? left : evaluate(e.args[1]);
    }
    const bool joins = op == "~";
    const Value left = joins ? known(e.args[0]) : evaluate(e.args[0]),
                right = joins ? known(e.args[1]) : evaluate(e.args[1]);
    if (op == "==") return left == right;
    if (op == "!=") return !(left == right);
    if (op == "in") return contains(at(e.line), right, left);
    if (op == "~") return concatenated(left.str(), right.str(), e.line);
    if (op == "<" || op == ">" || op == "<=" || op == ">=") return ordered(op, left, right, e.line);
    if (op == "+" && left.text() && right.text()) return concatenated(*left.text(), *right.text(), e.line);
    if (op == "+" && left.list() && right.list()) {
      List list = *left.list();
      list.insert(list.end(), right.list()->begin(), right.list()->end());
      return list;
    }
    if (!left.is_number() || !right.is_number())
      fail_at(e.line, "'{}' cannot be applied to {} and {}", op, left.type_name(), right.type_name());
    if (left.is_integer() && right.is_integer())
      return arithmetic(op, left.integer(), right.integer(), e.line);
    return real_arithmetic(op, left.number(), right.number(), e.line);
  }

  Value concatenated(Text left, const Text& right, int line) const {
    left += right;
    return bounded(left, line);
  }

  Value ordered(const std::string& op, const Value& left, const Value& right, int line) const {
    const bool numbers = left.is_number() && right.is_number(), texts = left.text() && right.text();
    if (!numbers && !texts) fail_at(line, "{} and {} have no order", left.type_name(), right.type_name());
    const auto compared = [&](const auto& a, const auto& b) {
      return op == "<" ? a < b : op == ">" ? a > b : op == "<=" ? a <= b : a >= b;
    };
    return numbers ? compared(left.number(), right.number())
                   : compared(left.text()->bytes, right.text()->bytes);
  }

  Value arithmetic(const std::string& op, int64_t a, int64_t b, int line) const {
    int64_t n = 0;
    bool overflow = false;
    if (op == "+") overflow = __builtin_add_overflow(a, b, &n);
    if (op == "-") overflow = __builtin_sub_overflow(a, b, &n);
    if (op == "*") overflow = __builtin_mul_overflow(a, b, &n);
    if (op == "/" || op == "**")
      return real_arithmetic(op, static_cast<double>(a), static_cast<double>(b), line);
    if (op == "//" || op == "%") {
      if (b == 0) fail_at(line, "division by 0");
      if (b == -1) return op == "%" ? Value(int64_t{0}) : arithmetic("-", 0, a, line);
      const int64_t rest = a % b, low = rest != 0 && (rest < 0) != (b < 0);  // Python rounds down
      n = op == "%" ? rest + low * b : a / b - low;
    }
    if (overflow) fail_at(line, "{} {} {} is too large", a, op, b);
    return n;
  }

  Value real_arithmetic(const std::string& op, double a, double b, int line) const {
    if (op == "+") return a + b;
    if (op == "-") return a - b;
    if (op == "*") return a * b;
    if (op == "**") {
      const double power = std::pow(a, b);
      const bool whole = b >= 0 && power == std::floor(power) && std::abs(power) < 9e15 && a == std::floor(a);
      return whole ? Value(static_cast<int64_t>(power)) : Value(power);
    }
    if (b == 0) fail_at(line, "division by 0");
    if (op == "/") return a / b;
    if (op == "//") return std::floor(a / b);
    return a - b * std::floor(a / b);
  }

  const std::string& name_;
  Limits limits_;
  std::vector<Dict> scopes_;
  std::vector<const Statement*> macros_;
  Text out_;
  int64_t steps_ = 0;
  int depth_ = 0;
};

}  // namespace

Template::Template(std::string_view source, std::string name)
    : name_(std::move(name)), block_(parse_template(source, name_)) {}

Text Template::render(Dict variables, const Limits& limits) const {
  return Renderer(name_, std::move(variables), limits).run(block_);
}

}  // namespace fathom::jinja
