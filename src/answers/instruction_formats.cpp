// Marks that a response must have: placeholders, bullets, titles, sections.
#include <algorithm>
#include <array>
#include <utility>

#include "answers/instruction_kinds.h"
#include "answers/response_text.h"

namespace fathom {
namespace {

using View = std::string_view;

// [...] on one line.
InstructionCheck number_placeholders(const JsonObject& arguments) {
  return [number = count_of(arguments, "num_placeholders")](View response) {
    int64_t n = 0;
    for (View line : parts_between(response, "\n"))
      for (size_t open, close;
           (open = line.find('[')) != View::npos && (close = line.find(']', open)) != View::npos; ++n)
        line.remove_prefix(close + 1);
    return followed_if(n >= number);
  };
}

// Anywhere. The two usual marks may have blanks inside.
InstructionCheck postscript(const JsonObject& arguments) {
  const std::string marker = text_of(arguments, "postscript_marker");
  const std::string pattern = marker == "P.P.S"  ? R"(p\.\s?p\.\s?s)"
                              : marker == "P.S." ? R"(p\.\s?s\.)"
                                                 : escape_regex(marker);
  return [pattern](View response) { return followed_if(Pattern("(?i)" + pattern).in(response)); };
}

// Lines that begin with a hyphen, or with one asterisk. A line of nothing but an asterisk takes the next with
// it.
int64_t bullets(View response) {
  const std::vector<View> lines = parts_between(response, "\n");
  int64_t n = 0;
  bool taken = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const View line = lines[i].substr(std::min(lines[i].find_first_not_of(" \t\r\f\v"), lines[i].size()));
    n += line.starts_with('-');
    if (std::exchange(taken, false) || !line.starts_with('*') || line.starts_with("**")) continue;
    taken = line.size() == 1;
    n += !taken || i + 1 < lines.size();
  }
  return n;
}

InstructionCheck number_bullet_lists(const JsonObject& arguments) {
  return [number = count_of(arguments, "num_bullets")](View response) {
    return followed_if(bullets(response) == number);
  };
}

InstructionCheck constrained_response(const JsonObject&) {
  return [](View response) {
    const auto options =
        std::to_array<View>({"My answer is yes.", "My answer is no.", "My answer is maybe."});
    return followed_if(std::any_of(options.begin(), options.end(),
                                   [&](View option) { return response.find(option) != View::npos; }));
  };
}

// *...* and **...** on one line, each with something inside.
InstructionCheck number_highlighted_sections(const JsonObject& arguments) {
  return [number = count_of(arguments, "num_highlights")](View response) {
    int64_t n = 0;
    for (const View mark : {"*", "**"}) {
      const std::string edge = escape_regex(mark);
      for (View found : Pattern(edge + "[^\\n*]*" + edge).matches(response)) {
        found.remove_prefix(mark.size()), found.remove_suffix(mark.size());
        n += !stripped(found).empty();
      }
    }
    return followed_if(n >= number);
  };
}

// "SECTION 1": the word and a number.
InstructionCheck multiple_sections(const JsonObject& arguments) {
  return [word = text_of(arguments, "section_spliter"),
          number = count_of(arguments, "num_sections")](View response) {
    return followed_if(std::ssize(Pattern(escape_regex(word) + "\\s?\\d+").matches(response)) >= number);
  };
}

// All of it, perhaps in a block of code.
InstructionCheck json_format(const JsonObject&) {
  return [](View response) {
    response = stripped(response);
    for (const View fence : {"```json", "```Json", "```JSON", "```"})
      if (response.starts_with(fence)) response.remove_prefix(fence.size());
    if (response.ends_with("```")) response.remove_suffix(3);
    return followed_if(Json::accept(stripped(response)));
  };
}

// <<...>> on one line, with more inside than brackets and blanks.
InstructionCheck title(const JsonObject&) {
  return [](View response) {
    for (const View line : parts_between(response, "\n")) {
      const size_t open = line.find("<<"), close = line.rfind(">>");
      if (open == View::npos || close == View::npos || close < open + 3) continue;
      View inside = line.substr(open, close - open);
      inside.remove_prefix(std::min(inside.find_first_not_of('<'), inside.size()));
      inside = inside.substr(0, inside.find_last_not_of('>') + 1);
      if (!stripped(inside).empty()) return Followed::yes;
    }
    return Followed::no;
  };
}

constexpr auto kinds = std::to_array<InstructionKind>(
    {{"detectable_content:number_placeholders", number_placeholders},
     {"detectable_content:postscript", postscript},
     {"detectable_format:number_bullet_lists", number_bullet_lists},
     {"detectable_format:constrained_response", constrained_response},
     {"detectable_format:number_highlighted_sections", number_highlighted_sections},
     {"detectable_format:multiple_sections", multiple_sections},
     {"detectable_format:json_format", json_format},
     {"detectable_format:title", title}});

}  // namespace

std::span<const InstructionKind> format_instructions() {
  return kinds;
}

}  // namespace fathom
