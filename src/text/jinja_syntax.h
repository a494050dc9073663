// The parts of a Jinja template: expressions and statements, with the line each begins on for errors. The
// subset that chat templates use; what is not understood is an Error that names line and construct.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/jinja_value.h"

namespace fathom::jinja {

struct Expr {
  enum class Kind {
    literal,      // value
    name,         // name
    attribute,    // args[0].name
    item,         // args[0][args[1]]
    slice,        // args[0][args[1]:args[2]:args[3]]; a bound that is left out is a literal none
    call,         // name(args..., named...)
    method,       // args[0].name(args from 1 on..., named...)
    filter,       // args[0] | name(args from 1 on..., named...)
    test,         // args[0] is name(args from 1 on...)
    unary,        // name args[0]: not, -, +
    binary,       // args[0] name args[1]: + - * / // % ** ~ == != < > <= >= in and or
    conditional,  // args[0] if args[1] else args[2]
    list,         // [args...]
    dict,         // {args[0]: args[1], ...}
  };
  Kind kind = Kind::literal;
  int line = 0;
  std::string name = {};
  Value value = {};
  std::vector<Expr> args = {};
  std::vector<std::pair<std::string, Expr>> named = {};
};

struct Statement;
using Block = std::vector<Statement>;

struct Branch {
  Expr condition;  // of an else: a literal true
  Block body;
};

struct Statement {
  enum class Kind {
    text,       // text
    output,     // {{ expr }}
    condition,  // if, elif, else: branches
    loop,  // for names in expr if branches[0].condition: branches[0].body, else: branches[1].body if present
    set,   // set names = expr, or set names[0].attribute = expr
    set_block,  // set names[0] ... endset: branches[0].body
    macro,      // macro names[0](names from 1 on, defaults): branches[0].body
    scope,      // generation ... endgeneration: branches[0].body
    stop,       // break
    next,       // continue
  };
  Kind kind = Kind::text;
  int line = 0;
  std::string text = {}, attribute = {};
  std::vector<std::string> names = {};
  Expr expr = {};
  std::vector<Branch> branches = {};
  std::vector<std::pair<std::string, Expr>> defaults = {};
};

// `name` stands in errors. Nesting is bounded.
Block parse_template(std::string_view source, const std::string& name);

}  // namespace fathom::jinja
