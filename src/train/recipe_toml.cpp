#include "train/recipe_toml.h"

#include <toml++/toml.h>

#include <cmath>

#include "base/error.h"
#include "io/file.h"
#include "train/recipe.h"

namespace fathom {
namespace {

Json to_json(const toml::node& node, const std::string& where, const std::string& key) {
  if (const auto* v = node.as_string()) return v->get();
  if (const auto* v = node.as_integer()) return v->get();
  if (const auto* v = node.as_floating_point()) {
    check(std::isfinite(v->get()), "{}: key '{}' must be a finite number, got {}", where, key, v->get());
    return v->get();
  }
  if (const auto* v = node.as_boolean()) return v->get();
  const toml::array* array = node.as_array();
  check(array, "{}: key '{}' must be a number, a text, true, false or a list", where, key);
  Json list = Json::array();
  for (const toml::node& element : *array) list.push_back(to_json(element, where, key));
  return list;
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& path,
             std::vector<Setting>& out) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      flatten(*inner, name + ".", path, out);
      continue;
    }
    const std::string where = fmt::format("{}:{}", path, key.source().begin.line);
    out.push_back({name, to_json(node, where, name), where});
  }
}

}  // namespace

Json parse_toml_value(const std::string& text) {
  if (text.find('\n') != std::string::npos) return text;
  try {
    const toml::table table = toml::parse("value = " + text);
    const toml::node* node = table.get("value");
    if (node && !node->is_table() && table.size() == 1) return to_json(*node, "command line", text);
  } catch (const toml::parse_error&) {
    return text;
  }
  return text;
}

std::vector<Setting> read_toml(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<Setting> settings;
  try {
    flatten(toml::parse(text, path), "", path, settings);
  } catch (const toml::parse_error& e) {
    fail("{}:{}: {}", path, e.source().begin.line, e.description());
  }
  return settings;
}

}  // namespace fathom
