// The kinds of instructions in groups: what makes a check from the arguments of each.
#pragma once
#include <span>
#include <string_view>

#include "answers/instructions.h"

namespace fathom {

struct InstructionKind {
  std::string_view id;
  InstructionCheck (*make)(const JsonObject& arguments);
};

std::span<const InstructionKind> keyword_instructions();  // words and letters that occur, or must not
std::span<const InstructionKind> length_instructions();   // sentences, words, paragraphs
std::span<const InstructionKind> format_instructions();   // marks in the text
std::span<const InstructionKind> whole_instructions();    // of the whole response: ends, case, language

// "less than" or "at least" so many.
struct Bound {
  bool at_least;
  int64_t number;
  Followed holds(int64_t n) const { return (n >= number) == at_least ? Followed::yes : Followed::no; }
};
// Of the arguments with these names.
Bound bound_of(const JsonObject& arguments, const std::string& relation, const std::string& number);
int64_t count_of(const JsonObject& arguments, const std::string& number);
// Not blank, without blanks at its ends.
std::string text_of(const JsonObject& arguments, const std::string& name);

inline Followed followed_if(bool condition) {
  return condition ? Followed::yes : Followed::no;
}

}  // namespace fathom
