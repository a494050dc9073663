#include "answers/cloze_answer.h"

#include "answers/response_text.h"

namespace fathom {
namespace {

using View = std::string_view;

View left_trimmed(View text) {
  const size_t first = text.find_first_not_of(' ');
  return first == View::npos ? View() : text.substr(first);
}

View after_last_equals(View text) {
  const size_t at = text.rfind('=');
  return at == View::npos ? text : left_trimmed(text.substr(at + 1));
}

// Braces count wherever they stand, also behind a backslash. Nothing where the box does not begin with one or
// has no end: then there is no answer at all.
std::optional<View> boxed(View text) {
  const size_t at = text.rfind("\\boxed");
  int depth = 0;
  for (size_t i = at; i < text.size(); ++i) {
    depth += text[i] == '{';
    if (text[i] != '}' || --depth != 0) continue;
    View inside = text.substr(at, i + 1 - at);
    constexpr View open = "\\boxed{";
    if (!inside.starts_with(open)) return std::nullopt;
    inside.remove_prefix(open.size()), inside.remove_suffix(1);
    return after_last_equals(inside);
  }
  return std::nullopt;
}

std::optional<View> between_dollars(View text) {
  std::optional<View> last;
  for (const View line : parts_between(text, "\n")) {
    const size_t open = line.find('$'), close = line.rfind('$');
    if (open != close) last = line.substr(open + 1, close - open - 1);
  }
  return last ? std::optional(after_last_equals(*last)) : std::nullopt;
}

std::optional<View> without_dollars(View text) {
  if (text.find('=') != View::npos) {
    View last = after_last_equals(text);
    while (last.ends_with('.')) last.remove_suffix(1);
    return last.substr(0, last.find("\\n"));
  }
  const std::vector<View> numbers = Pattern(R"(\$?[0-9]+(?:\.[0-9]+)?(?!\w))").matches(text);
  return numbers.empty() ? std::nullopt : std::optional(numbers.back());
}

}  // namespace

std::optional<View> cloze_answer(View text) {
  for (const View lead : {View("The answer is therefore"), View("答案是")})
    if (const size_t at = text.rfind(lead); at != View::npos)
      text = stripped(text.substr((text.starts_with(lead) ? 0 : at) + lead.size()));
  std::optional<View> answer;
  if (text.find("\\boxed") != View::npos) {
    answer = boxed(text);
  } else {
    answer = between_dollars(text);
    if (!answer || answer->empty()) answer = without_dollars(text);
  }
  return answer && !answer->empty() ? answer : std::nullopt;
}

}  // namespace fathom
