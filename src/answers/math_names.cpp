#include "answers/math_names.h"

#include <algorithm>
#include <array>
#include <string>

namespace fathom {
namespace {

using enum MathMeaning;

struct Command {
  std::string_view name;
  MathMeaning meaning;
  std::string_view text;
};

constexpr auto commands = std::to_array<Command>({
    {"approx", mark, "="},
    {"begin", mark, "begin"},
    {"big", nothing, ""},
    {"Big", nothing, ""},
    {"bigg", nothing, ""},
    {"Bigg", nothing, ""},
    {"bigl", nothing, ""},
    {"bigr", nothing, ""},
    {"Bigl", nothing, ""},
    {"Bigr", nothing, ""},
    {"binom", mark, "binom"},
    {"bm", nothing, ""},
    {"boldsymbol", nothing, ""},
    {"boxed", nothing, ""},
    {"cap", mark, "cap"},
    {"cdot", mark, "*"},
    {"cfrac", mark, "frac"},
    {"circ", mark, "degree"},
    {"cup", mark, "cup"},
    {"dbinom", mark, "binom"},
    {"degree", mark, "degree"},
    {"dfrac", mark, "frac"},
    {"displaystyle", nothing, ""},
    {"div", mark, "/"},
    {"emptyset", mark, "empty"},
    {"end", mark, "end"},
    {"fbox", nothing, ""},
    {"frac", mark, "frac"},
    {"ge", mark, ">="},
    {"geq", mark, ">="},
    {"geqslant", mark, ">="},
    {"gt", mark, ">"},
    {"hbox", text_follows, ""},
    {"in", mark, "in"},
    {"infty", symbol, "infinity"},
    {"land", mark, "and"},
    {"langle", mark, "("},
    {"lbrace", mark, "\\{"},
    {"lbrack", mark, "["},
    {"lceil", mark, "lceil"},
    {"le", mark, "<="},
    {"left", nothing, ""},
    {"leq", mark, "<="},
    {"leqslant", mark, "<="},
    {"lfloor", mark, "lfloor"},
    {"lor", mark, "or"},
    {"lt", mark, "<"},
    {"lvert", mark, "|"},
    {"mathbb", nothing, ""},
    {"mathbf", nothing, ""},
    {"mathcal", nothing, ""},
    {"mathit", nothing, ""},
    {"mathrm", text_follows, ""},
    {"mbox", text_follows, ""},
    {"mp", mark, "mp"},
    {"ne", mark, "!="},
    {"neq", mark, "!="},
    {"operatorname", text_follows, ""},
    {"overline", mark, "overline"},
    {"pm", mark, "pm"},
    {"qquad", nothing, ""},
    {"quad", nothing, ""},
    {"rangle", mark, ")"},
    {"rbrace", mark, "\\}"},
    {"rbrack", mark, "]"},
    {"rceil", mark, "rceil"},
    {"rfloor", mark, "rfloor"},
    {"right", nothing, ""},
    {"rvert", mark, "|"},
    {"setminus", mark, "without"},
    {"sqrt", mark, "sqrt"},
    {"tbinom", mark, "binom"},
    {"text", text_follows, ""},
    {"textbf", text_follows, ""},
    {"textit", text_follows, ""},
    {"textrm", text_follows, ""},
    {"textstyle", nothing, ""},
    {"tfrac", mark, "frac"},
    {"times", mark, "*"},
    {"varnothing", mark, "empty"},
    {"vec", nothing, ""},
    {"vert", mark, "|"},
});

constexpr auto letters = std::to_array<std::string_view>(
    {"alpha",    "beta",  "gamma",  "delta",  "epsilon", "varepsilon", "zeta",  "eta", "theta",
     "vartheta", "iota",  "kappa",  "lambda", "mu",      "nu",         "xi",    "pi",  "rho",
     "sigma",    "tau",   "phi",    "varphi", "chi",     "psi",        "omega", "ell", "Gamma",
     "Delta",    "Theta", "Lambda", "Xi",     "Pi",      "Sigma",      "Phi",   "Psi", "Omega"});

// Longer names before those that they begin with.
constexpr auto functions =
    std::to_array<std::string_view>({"arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "sin", "cos",
                                     "tan", "cot", "sec", "csc", "log", "ln", "lg", "exp"});

struct Symbol {
  uint32_t code_point;
  MathMeaning meaning;
  std::string_view text;
};

constexpr auto symbols = std::to_array<Symbol>({
    {0xb2, latex, "^2"},
    {0xb3, latex, "^3"},
    {0xb9, latex, "^1"},
    {0x2074, latex, "^4"},
    {0x2075, latex, "^5"},
    {0x2076, latex, "^6"},
    {0x2077, latex, "^7"},
    {0x2078, latex, "^8"},
    {0x2079, latex, "^9"},
    {0xbc, latex, "\\frac14"},
    {0xbd, latex, "\\frac12"},
    {0xbe, latex, "\\frac34"},
    {0x2153, latex, "\\frac13"},
    {0x2154, latex, "\\frac23"},
    {0xa0, nothing, ""},
    {0xa3, nothing, ""},
    {0xa5, nothing, ""},
    {0xb0, mark, "degree"},
    {0xb1, mark, "pm"},
    {0xb7, mark, "*"},
    {0xd7, mark, "*"},
    {0xf7, mark, "/"},
    {0x3b1, symbol, "alpha"},
    {0x3b2, symbol, "beta"},
    {0x3b3, symbol, "gamma"},
    {0x3b4, symbol, "delta"},
    {0x3b8, symbol, "theta"},
    {0x3bb, symbol, "lambda"},
    {0x3bc, symbol, "mu"},
    {0x3c0, symbol, "pi"},
    {0x3c6, symbol, "phi"},
    {0x3c9, symbol, "omega"},
    {0x2009, nothing, ""},
    {0x2012, mark, "-"},
    {0x2013, mark, "-"},
    {0x202f, nothing, ""},
    {0x2061, nothing, ""},
    {0x20ac, nothing, ""},
    {0x2205, mark, "empty"},
    {0x2208, mark, "in"},
    {0x2212, mark, "-"},
    {0x2213, mark, "mp"},
    {0x221a, mark, "plain sqrt"},
    {0x221e, symbol, "infinity"},
    {0x2229, mark, "cap"},
    {0x222a, mark, "cup"},
    {0x2248, mark, "="},
    {0x2260, mark, "!="},
    {0x2264, mark, "<="},
    {0x2265, mark, ">="},
    {0x22c5, mark, "*"},
    {0x3001, mark, ","},
    {0x3002, nothing, ""},
    {0xff08, mark, "("},
    {0xff09, mark, ")"},
    {0xff0c, mark, ","},
    {0xff1a, mark, ":"},
    {0xff1b, mark, ";"},
    {0xff1d, mark, "="},
});

constexpr auto units = std::to_array<std::string_view>(
    {"centimeters", "centimeter", "centimetres", "cents",     "cent",       "cm",         "cubic",   "cups",
     "days",        "day",        "degrees",     "degree",    "dollars",    "dollar",     "feet",    "foot",
     "ft",          "gallons",    "gallon",      "grams",     "gram",       "hours",      "hour",    "hrs",
     "inches",      "inch",       "kg",          "kilograms", "kilometers", "kilometres", "km",      "kmh",
     "lbs",         "liters",     "liter",       "litres",    "mph",        "meters",     "meter",   "metres",
     "miles",       "mile",       "minutes",     "minute",    "min",        "mins",       "ml",      "mm",
     "months",      "month",      "ounces",      "ounce",     "oz",         "per",        "percent", "points",
     "point",       "pounds",     "pound",       "radians",   "seconds",    "second",     "sec",     "secs",
     "square",      "sq",         "times",       "units",     "unit",       "weeks",      "week",    "yards",
     "yard",        "years",      "year"});

template <class Table>
bool contains(const Table& table, std::string_view name) {
  return std::find(table.begin(), table.end(), name) != table.end();
}

}  // namespace

MathName latex_command(std::string_view name) {
  const auto found =
      std::find_if(commands.begin(), commands.end(), [&](const Command& c) { return c.name == name; });
  if (found != commands.end()) return {found->meaning, found->text};
  if (const auto letter = std::find(letters.begin(), letters.end(), name); letter != letters.end())
    return {symbol, *letter};
  const auto call = std::find(functions.begin(), functions.end(), name);
  return call != functions.end() ? MathName{function, *call} : MathName{};
}

MathName unicode_symbol(uint32_t code_point) {
  const auto found = std::find_if(symbols.begin(), symbols.end(),
                                  [&](const Symbol& s) { return s.code_point == code_point; });
  return found != symbols.end() ? MathName{found->meaning, found->text} : MathName{};
}

MathName plain_name(std::string_view word) {
  if (word == "infinity" || word == "inf" || word == "oo") return {symbol, "infinity"};
  for (const std::string_view separator : {"or", "and", "in"})
    if (word == separator) return {mark, separator};
  // One letter may follow: "sinx", "pir".
  const auto begins_with = [&](std::string_view name) {
    return word.starts_with(name) && word.size() <= name.size() + 1;
  };
  if (begins_with("sqrt")) return {mark, "plain sqrt"};
  for (const std::string_view name : functions)
    if (begins_with(name)) return {function, name};
  for (const std::string_view name : letters)
    if (word == name) return {symbol, name};
  return begins_with("pi") ? MathName{symbol, "pi"} : MathName{};
}

bool is_unit(std::string_view word) {
  return contains(units, word);
}

}  // namespace fathom
