#include "answers/math_answer.h"

#include <algorithm>
#include <optional>

#include "answers/math_value.h"

namespace fathom {
namespace {

using enum MathKind;

bool has_sign_choice(const MathNode& node) {
  return node.kind == plus_minus || node.kind == minus_plus ||
         std::any_of(node.children.begin(), node.children.end(), has_sign_choice);
}

// Every +- with the upper or the lower sign.
void choose_sign(MathNode& node, bool upper) {
  for (MathNode& child : node.children) choose_sign(child, upper);
  if (node.kind != plus_minus && node.kind != minus_plus) return;
  const bool minus = (node.kind == plus_minus) != upper;
  node.kind = add;
  if (minus) node.children[1] = math_node_of(negate, "", std::move(node.children[1]));
}

// What one inequality says of one variable: below or above a constant.
struct HalfLine {
  std::string variable;
  bool below;
  bool included;
  const MathNode* end;
};

std::optional<HalfLine> half_line(const MathNode& node) {
  if (node.kind != relation || (node.text != "<" && node.text != "<=")) return std::nullopt;
  const MathNode &left = node.children[0], &right = node.children[1];
  const auto is_variable = [](const MathNode& n) { return n.kind == symbol && has_variables(n); };
  if (is_variable(left) && !has_variables(right)) return HalfLine{left.text, true, node.text == "<=", &right};
  if (is_variable(right) && !has_variables(left))
    return HalfLine{right.text, false, node.text == "<=", &left};
  return std::nullopt;
}

MathNode interval(const HalfLine* above, const HalfLine* below) {
  const std::string open = above && above->included ? "[" : "(", close = below && below->included ? "]" : ")";
  const MathNode infinity = math_node(symbol, "infinity");
  return math_node_of(tuple, open + close, above ? *above->end : math_node_of(negate, "", infinity),
                      below ? *below->end : infinity);
}

std::optional<MathNode> as_interval(const MathNode& node) {
  if (const auto line = half_line(node))
    return line->below ? interval(nullptr, &*line) : interval(&*line, nullptr);
  if (node.kind != chain || node.children.size() != 2) return std::nullopt;
  const auto first = half_line(node.children[0]), second = half_line(node.children[1]);
  if (!first || !second || first->variable != second->variable || first->below == second->below)
    return std::nullopt;
  return first->below ? interval(&*second, &*first) : interval(&*first, &*second);
}

bool is_inequality(const MathNode& node) {
  return as_interval(node).has_value();
}

// a = b = c says what a = c does.
MathNode shortened_chain(MathNode node) {
  const auto is_equation = [](const MathNode& part) { return part.kind == relation && part.text == "="; };
  if (!std::all_of(node.children.begin(), node.children.end(), is_equation)) return node;
  return math_node_of(relation, "=", std::move(node.children.front().children[0]),
                      std::move(node.children.back().children[1]));
}

// The parts of a union, or of another nest of one kind, as one list.
void flatten(MathNode node, MathKind kind, std::vector<MathNode>& parts) {
  if (node.kind != kind) return parts.push_back(std::move(node));
  for (MathNode& child : node.children) flatten(std::move(child), kind, parts);
}

MathNode normal_list(MathNode node) {
  const bool alternatives = node.text != "and";
  if (alternatives && std::all_of(node.children.begin(), node.children.end(), is_inequality))
    node.kind = join;
  std::vector<MathNode> parts;
  for (MathNode& child : node.children) flatten(normal_answer(std::move(child)), list, parts);
  return {node.kind, "", std::move(parts)};
}

}  // namespace

MathNode normal_answer(MathNode node) {
  if (node.kind == list) return normal_list(std::move(node));
  if (has_sign_choice(node)) {
    MathNode lower = node;
    choose_sign(node, true);
    choose_sign(lower, false);
    return normal_list(math_node_of(list, "and", std::move(node), std::move(lower)));
  }
  if (node.kind == member) return normal_answer(std::move(node.children[1]));
  if (std::optional<MathNode> region = as_interval(node)) return std::move(*region);
  if (node.kind == chain) node = shortened_chain(std::move(node));
  if (node.kind == join) {
    std::vector<MathNode> parts;
    flatten(std::move(node), join, parts);
    node = {join, "", std::move(parts)};
  }
  if (node.kind == set || node.kind == tuple || node.kind == join || node.kind == relation)
    for (MathNode& child : node.children) child = normal_answer(std::move(child));
  return node;
}

bool is_answer_name(const MathNode& node) {
  constexpr size_t most_letters = 4;
  if (node.kind == words) return true;
  if (node.kind == symbol) return !is_constant_name(node.text);
  if (node.kind == tuple) return std::all_of(node.children.begin(), node.children.end(), is_answer_name);
  if (node.kind != multiply) return false;
  std::vector<MathNode> factors;
  flatten(node, multiply, factors);
  return factors.size() <= most_letters &&
         std::all_of(factors.begin(), factors.end(), [](const MathNode& f) { return f.kind == symbol; });
}

}  // namespace fathom
