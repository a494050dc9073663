// TOML as JSON values: numbers must be finite, dates are refused.
#pragma once
#include <toml++/toml.h>

#include <string>

#include "io/json.h"

namespace fathom {

// `where` and `key` stand in errors.
Json toml_json(const toml::node& node, const std::string& where, const std::string& key);

// A whole document as one object. Error "NAME:LINE: ..." for what is no TOML.
Json parse_toml(const std::string& text, const std::string& name);

}  // namespace fathom
