// The answer to a question of mathematics with a blank, by the rules of AGIEval's own evaluator for answers
// without examples (Zhong et al. 2023).
#pragma once
#include <optional>
#include <string_view>

namespace fathom {

// A part of `text`, which is valid UTF-8. Behind the last "The answer is therefore" or "答案是": what is boxed, else the last $...$
// of a line, else what stands behind the last "=", else the last number. Of boxed ones and $...$ what stands
// behind their last "=".
std::optional<std::string_view> cloze_answer(std::string_view text);

}  // namespace fathom
