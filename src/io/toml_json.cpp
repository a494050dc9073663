#include "io/toml_json.h"

#include <cmath>

#include "base/error.h"

namespace fathom {

Json toml_json(const toml::node& node, const std::string& where, const std::string& key) {
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) {
    check(std::isfinite(v->get()), "{}: key '{}' must be a finite number, got {}", where, key, v->get());
    return v->get();
  }
  if (const auto* v = node.as_boolean()) return v->get();
  if (const toml::table* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [name, value] : *table)
      object[std::string(name.str())] =
          toml_json(value, where, (key.empty() ? "" : key + ".") + std::string(name.str()));
    return object;
  }
  const toml::array* array = node.as_array();
  check(array, "{}: key '{}' must be a number, a text, true, false or a list", where, key);
  Json list = Json::array();
  for (const toml::node& element : *array) list.push_back(toml_json(element, where, key));
  return list;
}

Json parse_toml(const std::string& text, const std::string& name) {
  try {
    return toml_json(toml::parse(text, name), name, "");
  } catch (const toml::parse_error& e) {
    fail("{}:{}: {}", name, e.source().begin.line, e.description());
  }
}

}  // namespace fathom
