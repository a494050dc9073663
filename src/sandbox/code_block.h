// The program in a model's answer: what stands between Markdown's fences.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace fathom {

struct CodeBlock {
  std::string code;
  bool closed = true;  // false: the answer ends inside the block
};

// The last block that is marked as `language` ("python", "cpp"; other common names for it count), else the
// last one that is not marked at all. Blocks of other languages are not taken. Without a block: the whole
// text if that is asked for, else nothing.
std::optional<CodeBlock> code_block(std::string_view answer, std::string_view language,
                                    bool whole_text_without_block = false);

}  // namespace fathom
