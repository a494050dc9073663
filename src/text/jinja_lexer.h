// A Jinja template as a row of tokens. White space around tags goes as transformers asks for (trim_blocks and
// lstrip_blocks), and by "-" and "+" inside of a tag's brackets.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace fathom::jinja {

struct Token {
  enum class Kind {
    text,
    output_begin,
    output_end,
    block_begin,
    block_end,
    name,
    integer,
    real,
    string,
    symbol,
    end
  };
  Kind kind = Kind::end;
  int line = 0;
  std::string text = {};  // of a string: without quotes, escapes resolved
};

std::vector<Token> tokenize_template(std::string_view source, const std::string& name);

}  // namespace fathom::jinja
