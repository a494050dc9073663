// TOML as the recipe reader sees it: a flat list of dotted keys with JSON values and the line of each.
#pragma once
#include <string>

#include "io/json.h"

namespace fathom {

// `text` in TOML's notation ("3e-4", "true", "[0.6, 0.9]"); what TOML cannot read stands for itself, a
// string.
Json parse_toml_value(const std::string& text);

}  // namespace fathom
