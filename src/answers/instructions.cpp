#include "answers/instructions.h"

#include <algorithm>
#include <array>

#include "answers/instruction_kinds.h"
#include "answers/response_text.h"
#include "base/error.h"
#include "base/nearest.h"
#include "text/utf8.h"

namespace fathom {
namespace {

using View = std::string_view;

const InstructionKind& kind_of(const std::string& id, const std::string& where) {
  std::vector<std::string> known;
  for (const auto& group :
       {keyword_instructions(), length_instructions(), format_instructions(), whole_instructions()})
    for (const InstructionKind& kind : group) {
      if (kind.id == id) return kind;
      known.emplace_back(kind.id);
    }
  fail("{}: unknown instruction '{}'{}", where, id, did_you_mean(id, known));
}

std::string without_asterisks(View text) {
  std::string out(text);
  std::erase(out, '*');
  return out;
}

std::vector<std::string> forms(View response) {
  const size_t first = response.find('\n'), last = response.rfind('\n');
  const View behind = first == View::npos ? View() : response.substr(first + 1);
  const View before = last == View::npos ? View() : response.substr(0, last);
  const View between = first == last ? View() : response.substr(first + 1, last - first - 1);
  std::vector<std::string> all = {std::string(response)};
  for (const View part : {behind, before, between}) all.emplace_back(stripped(part));
  for (size_t i = 0; i < 4; ++i) all.push_back(without_asterisks(all[i]));
  return all;
}

}  // namespace

View name_of(Followed followed) {
  return std::to_array<View>({"no", "unknown", "yes"})[static_cast<size_t>(followed)];
}

std::vector<Instruction> parse_instructions(const Json& ids, const Json& arguments,
                                            const std::string& where) {
  const auto names = read_value<std::vector<std::string>>(ids, {where, "the instructions' ids"});
  check(!names.empty(), "{}: there is no instruction", where);
  check(arguments.is_array() && arguments.size() == names.size(),
        "{}: {} instructions need a list of as many objects with their arguments", where, names.size());
  std::vector<Instruction> instructions;
  for (size_t i = 0; i < names.size(); ++i) {
    const JsonObject own(arguments[i], where + ": " + names[i]);
    instructions.push_back({names[i], kind_of(names[i], where).make(own)});
  }
  return instructions;
}

Followed follows(const Instruction& instruction, View response) {
  check(valid_utf8_prefix(response) == response.size(), "a response is not valid UTF-8");
  return stripped(response).empty() ? Followed::no : instruction.check(response);
}

Followed follows_loosely(const Instruction& instruction, View response) {
  Followed best = Followed::no;
  for (const std::string& form : forms(response)) {
    best = std::max(best, follows(instruction, form));
    if (best == Followed::yes) break;
  }
  return best;
}

Bound bound_of(const JsonObject& arguments, const std::string& relation, const std::string& number) {
  const auto word = arguments.required<std::string>(relation);
  check(word == "less than" || word == "at least", "{}: {} must be 'less than' or 'at least', got '{}'",
        arguments.where(), relation, word);
  return {word == "at least", count_of(arguments, number)};
}

int64_t count_of(const JsonObject& arguments, const std::string& number) {
  const auto n = arguments.required<int64_t>(number);
  check(n >= 0, "{}: {} must be at least 0, got {}", arguments.where(), number, n);
  return n;
}

std::string text_of(const JsonObject& arguments, const std::string& name) {
  const auto text = arguments.required<std::string>(name);
  check(valid_utf8_prefix(text) == text.size(), "{}: {} is not valid UTF-8", arguments.where(), name);
  check(!stripped(text).empty(), "{}: {} is blank", arguments.where(), name);
  return std::string(stripped(text));
}

}  // namespace fathom
