// Instructions whose following rules can check: the 25 kinds of IFEval (Zhou et al. 2023), by its rules.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"

namespace fathom {

enum class Followed { no, unknown, yes };
std::string_view name_of(Followed followed);

using InstructionCheck = std::function<Followed(std::string_view response)>;

struct Instruction {
  std::string id;  // "keywords:existence"
  InstructionCheck check;
};

// Of a row of IFEval: a list of ids, and beside it one of objects with their arguments; an argument that is
// null is none. Error naming `where`, the id and the argument, for one that is unknown, missing or
// impossible.
std::vector<Instruction> parse_instructions(const Json& ids, const Json& arguments, const std::string& where);

// A blank response follows nothing. Error when it is not valid UTF-8.
Followed follows(const Instruction& instruction, std::string_view response);

// Whether any of eight forms of the response does: all of it, without its first line, without its last,
// without both, and these four without asterisks.
Followed follows_loosely(const Instruction& instruction, std::string_view response);

}  // namespace fathom
