#include "answers/math_lenient.h"

#include <algorithm>
#include <utility>

#include "answers/math_answer.h"
#include "answers/math_identity.h"
#include "answers/math_parser.h"
#include "answers/math_strict.h"
#include "answers/math_words.h"

namespace fathom {
namespace {

using enum MathKind;

bool is_expression(const MathNode& node) {
  return node.kind <= degree;
}

bool same_tree(const MathNode& a, const MathNode& b) {
  return a.kind == b.kind && a.text == b.text &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(), same_tree);
}

// The value that "x = 5" or "5 = x" gives to a name, and the name.
struct Assignment {
  const MathNode *name, *value;
};

std::optional<Assignment> assignment(const MathNode& node) {
  if (node.kind != relation || node.text != "=") return std::nullopt;
  const MathNode &left = node.children[0], &right = node.children[1];
  if (is_answer_name(left)) return Assignment{&left, &right};
  if (is_answer_name(right)) return Assignment{&right, &left};
  return std::nullopt;
}

// What stands before a percent sign.
std::optional<MathNode> without_percent(const MathNode& node) {
  if (node.kind == percent) return node.children[0];
  if (node.kind != negate || node.children[0].kind != percent) return std::nullopt;
  return math_node_of(negate, "", node.children[0].children[0]);
}

class Comparison {
 public:
  bool equal(const MathNode& a, const MathNode& b) {
    if (!budget_.spend()) return false;
    if (is_expression(a) && is_expression(b)) return equal_values(a, b);
    if (is_collection(a) || is_collection(b)) return equal_collections(a, b);
    if (a.kind == relation || b.kind == relation) return equal_relations(a, b);
    if (a.kind == based || b.kind == based) return equal_based(a, b);
    if (a.kind != b.kind) return false;
    if (a.kind == words) return equal_words(a.text, b.text);
    if (a.kind == join || a.kind == meet || a.kind == chain) return equal_unordered(a, b);
    return a.text == b.text && equal_ordered(a, b);
  }

 private:
  static bool is_collection(const MathNode& node) { return node.kind == list || node.kind == set; }

  bool equal_values(const MathNode& a, const MathNode& b) {
    if (same_value(a, b, budget_)) return true;
    const std::optional<MathNode> left = without_percent(a), right = without_percent(b);
    if (left.has_value() == right.has_value()) return false;
    return left ? same_value(*left, b, budget_) : same_value(a, *right, budget_);
  }

  bool equal_collections(const MathNode& a, const MathNode& b) {
    if (is_collection(a) && is_collection(b)) return equal_unordered(a, b);
    const MathNode &elements = is_collection(a) ? a : b, &other = is_collection(a) ? b : a;
    if (elements.children.size() == 1) return equal(elements.children[0], other);
    return elements.kind == list && other.kind == tuple && other.text == "()" &&
           equal_ordered(elements, other);
  }

  bool equal_ordered(const MathNode& a, const MathNode& b) {
    return std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(),
                      [&](const MathNode& x, const MathNode& y) { return equal(x, y); });
  }

  bool equal_unordered(const MathNode& a, const MathNode& b) {
    if (a.children.size() != b.children.size()) return false;
    std::vector<bool> taken(b.children.size());
    for (const MathNode& x : a.children) {
      size_t i = 0;
      while (i < taken.size() && (taken[i] || !equal(x, b.children[i]))) ++i;
      if (i == taken.size()) return false;
      taken[i] = true;
    }
    return true;
  }

  bool equal_relations(const MathNode& a, const MathNode& b) {
    const std::optional<Assignment> left = assignment(a), right = assignment(b);
    if (a.kind != relation) return right && equal(a, *right->value);
    if (b.kind != relation) return left && equal(*left->value, b);
    if (a.text != b.text) return false;
    if (left && right && same_tree(*left->name, *right->name) && equal(*left->value, *right->value))
      return true;
    const bool ordered = a.text == "<" || a.text == "<=";
    return proportional(difference(a), difference(b), ordered, budget_);
  }

  static MathNode difference(const MathNode& relation) {
    return math_node_of(add, "", relation.children[0], math_node_of(negate, "", relation.children[1]));
  }

  static bool equal_based(const MathNode& a, const MathNode& b) {
    if (a.kind == b.kind) return a.text == b.text;
    const MathNode &with_base = a.kind == based ? a : b, &other = a.kind == based ? b : a;
    return other.kind == number && other.text == with_base.text.substr(0, with_base.text.find('_'));
  }

  static bool equal_words(const std::string& a, const std::string& b) {
    const std::optional<AnswerWords> left = answer_words(a), right = answer_words(b);
    return left && right ? left->text == right->text : a == b;
  }

  MathBudget budget_;
};

// Markdown and quotes around an answer.
std::string_view bare(std::string_view text) {
  constexpr std::string_view around = " \t\n\r*`\"";
  const size_t first = text.find_first_not_of(around);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(around) + 1 - first);
}

}  // namespace

bool math_equal_lenient(std::string_view a, std::string_view b) {
  if (math_equal_strict(a, b)) return true;
  if (b < a) std::swap(a, b);  // symmetric whatever the comparison does
  a = bare(a), b = bare(b);
  const std::optional<AnswerWords> left = answer_words(a), right = answer_words(b);
  if (left && right && (left->surely || right->surely)) return left->text == right->text;
  std::optional<MathNode> first = parse_math(a), second = parse_math(b);
  if (!first || !second) return false;
  return Comparison().equal(normal_answer(std::move(*first)), normal_answer(std::move(*second)));
}

}  // namespace fathom
