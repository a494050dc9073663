// numeric_value of math_value.h.
#include <charconv>
#include <cmath>
#include <numbers>

#include "answers/math_value.h"

namespace fathom {
namespace {

using enum MathKind;
using Complex = std::complex<double>;
using Value = std::optional<Complex>;

constexpr double rounding = 1e-9;  // what floor, ceil and roots allow a real number to miss it by

bool is_real(Complex z) {
  return std::abs(z.imag()) <= rounding * std::max(1.0, std::abs(z.real()));
}

Value finite(Complex z) {
  return std::isfinite(z.real()) && std::isfinite(z.imag()) ? Value(z) : std::nullopt;
}

class Evaluator {
 public:
  Evaluator(uint64_t point, MathBudget& budget) : point_(point), budget_(budget) {}

  Value value(const MathNode& node) {
    if (!budget_.spend()) return std::nullopt;
    switch (node.kind) {
      case number:
        return from_digits(node.text);
      case symbol:
        return from_name(node.text);
      case call:
        return from_call(node);
      case negate:
      case factorial:
      case percent:
      case degree:
        return from_one(node);
      case add:
      case multiply:
      case divide:
      case power:
      case binomial:
        return from_two(node);
      default:
        return std::nullopt;
    }
  }

 private:
  static Value from_digits(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} ? finite(value) : std::nullopt;
  }

  Value from_name(const std::string& name) const {
    if (name == "pi") return std::numbers::pi;
    if (name == "e") return std::numbers::e;
    if (name == "i") return Complex(0, 1);
    if (name == "infinity") return std::nullopt;
    const uint64_t bits = variable_bits(name, point_);
    const double size = 0.4 + 2 * static_cast<double>(bits >> 12) * 0x1p-52;
    return bits & 1 ? -size : size;
  }

  Value from_one(const MathNode& node) {
    const Value x = value(node.children[0]);
    if (!x) return x;
    if (node.kind == negate) return -*x;
    if (node.kind == percent) return *x / 100.0;
    if (node.kind == degree) return in_function_ ? *x * (std::numbers::pi / 180) : *x;
    return gamma(*x + 1.0);
  }

  // Gamma(z), of real numbers.
  static Value gamma(Complex z) {
    if (!is_real(z) || (z.real() <= 0 && std::floor(z.real()) == z.real())) return std::nullopt;
    return finite(std::tgamma(z.real()));
  }

  Value from_two(const MathNode& node) {
    const Value x = value(node.children[0]), y = value(node.children[1]);
    if (!x || !y) return std::nullopt;
    switch (node.kind) {
      case add:
        return finite(*x + *y);
      case multiply:
        return finite(*x * *y);
      case divide:
        return *y == 0.0 ? std::nullopt : finite(*x / *y);
      case power:
        return raised(*x, *y);
      default: {
        const Value all = gamma(*x + 1.0), chosen = gamma(*y + 1.0), others = gamma(*x - *y + 1.0);
        return all && chosen && others ? finite(*all / *chosen / *others) : std::nullopt;
      }
    }
  }

  static Value raised(Complex x, Complex y) {
    if (y == 0.0) return 1.0;
    if (x == 0.0) return y.real() > 0 ? Value(0.0) : std::nullopt;
    return finite(std::pow(x, y));
  }

  Value from_call(const MathNode& node) {
    const bool before = std::exchange(in_function_, true);
    const Value x = value(node.children[0]);
    const Value second = node.children.size() > 1 ? value(node.children[1]) : Value(10.0);
    in_function_ = before;
    if (!x || !second) return std::nullopt;
    const std::string& f = node.text;
    if (f == "root") return root(*x, *second);
    if (f == "log" || f == "lg") return quotient(logarithm(*x), logarithm(*second));
    if (node.children.size() > 1) return std::nullopt;
    if (f == "ln") return logarithm(*x);
    if (f == "abs") return std::abs(*x);
    if (f == "floor" || f == "ceil") return rounded(*x, f == "floor");
    return trigonometric(f, *x);
  }

  static Value root(Complex x, Complex index) {
    if (index == 0.0) return std::nullopt;
    const bool odd = is_real(index) && std::fmod(std::abs(index.real()), 2) == 1;
    if (odd && is_real(x) && x.real() < 0) return finite(-std::pow(-x.real(), 1 / index.real()));
    return raised(x, 1.0 / index);
  }

  static Value logarithm(Complex x) { return x == 0.0 ? std::nullopt : finite(std::log(x)); }

  static Value quotient(const Value& x, const Value& y) {
    return x && y && *y != 0.0 ? finite(*x / *y) : std::nullopt;
  }

  static Value rounded(Complex x, bool down) {
    if (!is_real(x)) return std::nullopt;
    return down ? std::floor(x.real() + rounding) : std::ceil(x.real() - rounding);
  }

  static Value trigonometric(const std::string& f, Complex x) {
    if (f == "sin") return finite(std::sin(x));
    if (f == "cos") return finite(std::cos(x));
    if (f == "tan") return quotient(std::sin(x), std::cos(x));
    if (f == "cot") return quotient(std::cos(x), std::sin(x));
    if (f == "sec") return quotient(1.0, std::cos(x));
    if (f == "csc") return quotient(1.0, std::sin(x));
    if (f == "arcsin") return finite(std::asin(x));
    if (f == "arccos") return finite(std::acos(x));
    if (f == "arctan") return finite(std::atan(x));
    if (f == "sinh") return finite(std::sinh(x));
    if (f == "cosh") return finite(std::cosh(x));
    if (f == "tanh") return finite(std::tanh(x));
    if (f == "exp") return finite(std::exp(x));
    return std::nullopt;
  }

  uint64_t point_;
  MathBudget& budget_;
  bool in_function_ = false;
};

}  // namespace

bool is_constant_name(const std::string& name) {
  return name == "pi" || name == "e" || name == "i" || name == "infinity";
}

bool has_variables(const MathNode& node) {
  if (node.kind == symbol) return !is_constant_name(node.text);
  for (const MathNode& child : node.children)
    if (has_variables(child)) return true;
  return false;
}

uint64_t variable_bits(const std::string& name, uint64_t point) {
  uint64_t hash = 0xcbf29ce484222325 ^ (point * 0x9e3779b97f4a7c15);  // FNV-1a, then splitmix64's last steps
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

std::optional<std::complex<double>> numeric_value(const MathNode& node, uint64_t point, MathBudget& budget) {
  return Evaluator(point, budget).value(node);
}

}  // namespace fathom
