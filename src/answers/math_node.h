// An answer in mathematical notation as a tree: an expression, or what answers are made of (lists, tuples,
// intervals, sets, equations, matrices). Bounded in depth and size by the parser.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace fathom {

enum class MathKind {
  // Expressions.
  number,      // text: decimal digits, perhaps with a point
  symbol,      // text: its name; pi, e, i and infinity are constants
  negate,      // [x]
  add,         // [x, y]
  multiply,    // [x, y]
  divide,      // [x, y]
  power,       // [base, exponent]
  plus_minus,  // [x, y]: x + y and x - y
  minus_plus,  // [x, y]: the other sign than plus_minus has
  call,        // text: the function; [argument], log: [argument, base], root: [argument, index]
  factorial,   // [x]
  binomial,    // [n, k]
  percent,     // [x]
  degree,      // [x]
  // Answers.
  based,     // text: "digits_base", a number written in another base
  words,     // text: what \text{...} holds
  list,      // elements without brackets; text: "and" when a separator said so
  tuple,     // text: its two brackets; also an interval
  set,       // elements in braces
  relation,  // text: "=", "!=", "<" or "<="; [left, right]
  chain,     // a < b <= c, a = b = c: [relations of neighbours]
  member,    // [x, set]
  join,      // [a, b]: their union
  meet,      // [a, b]: their intersection
  without,   // [a, b]: what is in a and not in b
  matrix,    // [rows]
  row        // of a matrix
};

struct MathNode {
  MathKind kind;
  std::string text;
  std::vector<MathNode> children;
};

inline MathNode math_node(MathKind kind, std::string text = {}) {
  return {kind, std::move(text), {}};
}

template <class... Children>
MathNode math_node_of(MathKind kind, std::string text, Children&&... children) {
  MathNode node{kind, std::move(text), {}};
  (node.children.push_back(std::forward<Children>(children)), ...);
  return node;
}

}  // namespace fathom
