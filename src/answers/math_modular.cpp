// modular_value of math_value.h: an identity between rational expressions is proved wrong by one value, and
// as good as proved by a random one (Schwartz 1980). No rounding: 2^100 and 2^100 + 1 differ.
#include <array>

#include "answers/math_value.h"

namespace fathom {
namespace {

using enum MathKind;

struct Prime {
  uint64_t p, i;  // i * i = -1 modulo p
};
constexpr std::array<Prime, math_primes> primes = {
    {{2305843009090237157, 1211474807858493875}, {1152922492261168217, 90114488288733900}}};

constexpr ModularValue not_rational{}, undefined{Exactness::undefined, 0};
constexpr int64_t largest_factorial = 1000;

// Integers as exponents and the like are written.
std::optional<int64_t> exact_integer(const MathNode& node) {
  constexpr size_t most_digits = 15;
  if (node.kind == number && node.text.size() <= most_digits && node.text.find('.') == std::string::npos)
    return std::stoll(node.text);
  if (node.kind != negate) return std::nullopt;
  const std::optional<int64_t> x = exact_integer(node.children[0]);
  return x ? std::optional(-*x) : x;
}

class Field {
 public:
  Field(int which, MathBudget& budget)
      : p_(primes[static_cast<size_t>(which)].p),
        i_(primes[static_cast<size_t>(which)].i),
        which_(which),
        budget_(budget) {}

  ModularValue value(const MathNode& node) {
    if (!budget_.spend()) return undefined;
    switch (node.kind) {
      case number:
        return from_digits(node.text);
      case symbol:
        return from_name(node.text);
      case negate:
      case percent:
      case degree:
        return from_one(node);
      case add:
      case multiply:
      case divide:
        return from_two(node);
      case power:
        return from_power(node);
      case factorial: {
        const std::optional<int64_t> n = exact_integer(node.children[0]);
        return n && *n >= 0 && *n <= largest_factorial ? exact(product(1, *n)) : not_rational;
      }
      case binomial:
        return from_binomial(node);
      default:
        return not_rational;
    }
  }

 private:
  static ModularValue exact(uint64_t value) { return {Exactness::exact, value}; }

  uint64_t times(uint64_t a, uint64_t b) const {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(a) * b % p_);
  }
  uint64_t raised(uint64_t base, uint64_t exponent) const {
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base = times(base, base))
      if (exponent & 1) result = times(result, base);
    return result;
  }
  uint64_t inverse(uint64_t x) const { return raised(x, p_ - 2); }
  // first * (first + 1) * ... * last
  uint64_t product(int64_t first, int64_t last) {
    budget_.steps -= last - first;
    uint64_t result = 1;
    for (int64_t n = first; n <= last; ++n) result = times(result, static_cast<uint64_t>(n));
    return result;
  }

  ModularValue from_digits(const std::string& text) const {
    uint64_t digits = 0, scale = 1;
    bool fraction = false;
    for (const char c : text) {
      if (c == '.') {
        fraction = true;
        continue;
      }
      digits = (times(digits, 10) + static_cast<uint64_t>(c - '0')) % p_;
      if (fraction) scale = times(scale, 10);
    }
    return exact(times(digits, inverse(scale)));
  }

  // pi and e count as variables: no rational expression relates them to anything else.
  ModularValue from_name(const std::string& name) const {
    if (name == "infinity") return not_rational;
    return exact(name == "i" ? i_ : variable_bits(name, 1000 + static_cast<uint64_t>(which_)) % p_);
  }

  ModularValue from_one(const MathNode& node) {
    const ModularValue x = value(node.children[0]);
    if (x.exactness != Exactness::exact || node.kind == degree) return x;
    return exact(node.kind == percent ? times(x.value, inverse(100)) : (p_ - x.value) % p_);
  }

  ModularValue from_two(const MathNode& node) {
    const ModularValue x = value(node.children[0]);
    if (x.exactness != Exactness::exact) return x;
    const ModularValue y = value(node.children[1]);
    if (y.exactness != Exactness::exact) return y;
    if (node.kind == add) return exact((x.value + y.value) % p_);
    if (node.kind == multiply) return exact(times(x.value, y.value));
    return y.value == 0 ? undefined : exact(times(x.value, inverse(y.value)));
  }

  ModularValue from_power(const MathNode& node) {
    const std::optional<int64_t> exponent = exact_integer(node.children[1]);
    if (!exponent) return not_rational;
    const ModularValue x = value(node.children[0]);
    if (x.exactness != Exactness::exact) return x;
    if (*exponent < 0 && x.value == 0) return undefined;
    const uint64_t size = static_cast<uint64_t>(std::abs(*exponent));
    return exact(raised(*exponent < 0 ? inverse(x.value) : x.value, size));
  }

  ModularValue from_binomial(const MathNode& node) {
    const std::optional<int64_t> n = exact_integer(node.children[0]), k = exact_integer(node.children[1]);
    if (!n || !k || *k < 0 || *n < *k || *n > largest_factorial) return not_rational;
    return exact(times(product(*n - *k + 1, *n), inverse(product(1, *k))));
  }

  uint64_t p_, i_;
  int which_;
  MathBudget& budget_;
};

}  // namespace

ModularValue modular_value(const MathNode& node, int which, MathBudget& budget) {
  return Field(which, budget).value(node);
}

}  // namespace fathom
