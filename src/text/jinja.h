// Jinja templates (the subset that chat templates use): parsed once, rendered with variables. What a template
// can cost is bounded: steps, bytes of output, depth.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "text/jinja_syntax.h"

namespace fathom::jinja {

struct Limits {
  int64_t steps = 2'000'000;         // expressions and statements
  size_t output = size_t{64} << 20;  // bytes, of the result and of any text on the way
  int depth = 100;                   // of macros that call macros
  // Whether writing what is undefined, or handing it to a filter but default, is an Error, as with Jinja's
  // StrictUndefined: a mistyped field then cannot become an empty text.
  bool strict = false;
};

class Template {
 public:
  // Error naming `name`, line and construct for what is not understood.
  Template(std::string_view source, std::string name);

  // Error naming the line for what cannot be done, what the template itself raises (raise_exception), or a
  // limit that is reached.
  Text render(Dict variables, const Limits& limits = {}) const;

 private:
  std::string name_;
  Block block_;
};

}  // namespace fathom::jinja
