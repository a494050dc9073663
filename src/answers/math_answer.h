// What an answer says, in one form: signs +- written out as two answers, "x in S" as S, simple inequalities
// as intervals, unions as lists of their parts.
#pragma once
#include "answers/math_node.h"

namespace fathom {

MathNode normal_answer(MathNode answer);

// x, AB, f(x), (x, y), "Area": what may stand before "=" as the name of the value behind it.
bool is_answer_name(const MathNode& node);

}  // namespace fathom
