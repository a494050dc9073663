#include "sandbox/code_block.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <vector>

namespace fathom {
namespace {

struct Fence {
  size_t indent = 0, length = 0;
  char mark = 0;
  std::string_view rest;  // of the line, without blanks around it
};

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

// Three or more backticks or tildes. Deeper indentation than Markdown allows is accepted: in lists, models
// indent fences as they like.
std::optional<Fence> fence_of(std::string_view line) {
  Fence fence;
  fence.indent = std::min(line.find_first_not_of(" \t"), line.size());
  if (fence.indent == line.size()) return std::nullopt;
  fence.mark = line[fence.indent];
  if (fence.mark != '`' && fence.mark != '~') return std::nullopt;
  const size_t end = std::min(line.find_first_not_of(fence.mark, fence.indent), line.size());
  fence.length = end - fence.indent;
  fence.rest = trimmed(line.substr(end));
  const bool inline_code = fence.mark == '`' && fence.rest.find('`') != std::string_view::npos;
  if (fence.length < 3 || inline_code) return std::nullopt;
  return fence;
}

// The first word after the fence in lower case, as in "```Python title=x" or "```{.python}".
std::string language_of(std::string_view info) {
  std::string word;
  for (const char c : info) {
    if (c == ' ' || c == '\t' || c == ',' || c == '}') break;
    if (c != '{' && c != '.') word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return word;
}

bool same_language(const std::string& marked, std::string_view wanted) {
  static const std::map<std::string_view, std::vector<std::string_view>> names = {
      {"python", {"python", "py", "python3", "python2", "py3"}},
      {"cpp", {"cpp", "c++", "cxx", "cc", "c++17", "c++20"}}};
  const auto known = names.find(wanted);
  if (known == names.end()) return marked == wanted;
  return std::find(known->second.begin(), known->second.end(), marked) != known->second.end();
}

// Calls line(text) for each line without its line feed.
template <class Body>
void for_each_line(std::string_view text, const Body& body) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    body(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::string_view without_indent(std::string_view line, size_t indent) {
  const size_t blanks = std::min(line.find_first_not_of(" \t"), line.size());
  return line.substr(std::min(blanks, indent));
}

}  // namespace

std::optional<CodeBlock> code_block(std::string_view answer, std::string_view language,
                                    bool whole_text_without_block) {
  std::optional<CodeBlock> marked, unmarked;
  std::optional<Fence> open;
  CodeBlock block;
  const auto keep = [&] {
    const std::string name = language_of(open->rest);
    if (name.empty())
      unmarked = block;
    else if (same_language(name, language))
      marked = block;
  };
  bool any = false;
  for_each_line(answer, [&](std::string_view line) {
    const std::optional<Fence> fence = fence_of(line);
    if (!open) {
      if (fence) open = fence, block = {"", false}, any = true;
    } else if (fence && fence->mark == open->mark && fence->length >= open->length && fence->rest.empty()) {
      block.closed = true;
      keep();
      open.reset();
    } else {
      block.code.append(without_indent(line, open->indent)) += '\n';
    }
  });
  if (open) keep();
  if (marked) return marked;
  if (unmarked) return unmarked;
  if (!any && whole_text_without_block) return CodeBlock{std::string(answer), true};
  return std::nullopt;
}

}  // namespace fathom
