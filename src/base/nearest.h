// "Did you mean": the known name that a mistyped one most likely stands for.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace fathom {

// Of names with sections ("optimizer.lr") the last part alone is enough to be found. Empty when no name is
// close.
std::string nearest(std::string_view given, std::span<const std::string> known);

// ": did you mean NAME?", or nothing.
std::string did_you_mean(std::string_view given, std::span<const std::string> known);

}  // namespace fathom
