#include "train/recipe_toml.h"

#include <toml++/toml.h>

#include <set>

#include "base/error.h"
#include "io/file.h"
#include "io/toml_json.h"
#include "train/recipe.h"

namespace fathom {
namespace {

// [[data.source]]: tables of a path and perhaps a weight, which are data.train and data.weights.
void add_sources(const toml::node& node, const std::string& path, std::vector<Setting>& out) {
  const auto place = [&](const toml::node& at) { return fmt::format("{}:{}", path, at.source().begin.line); };
  const toml::array* sources = node.as_array();
  check(sources && sources->is_array_of_tables(), "{}: 'data.source' must be tables: [[data.source]]",
        place(node));
  Json paths = Json::array(), weights = Json::array();
  for (const toml::node& element : *sources) {
    const toml::table& source = *element.as_table();
    for (const auto& [key, value] : source)
      check(key == "path" || key == "weight",
            "{}: unknown key '{}' of [[data.source]]: expected path or weight", place(value), key.str());
    const toml::node *folder = source.get("path"), *weight = source.get("weight");
    check(folder && folder->is_string(), "{}: [[data.source]] needs a path, a text", place(element));
    paths.push_back(toml_json(*folder, place(*folder), "path"));
    if (weight) weights.push_back(toml_json(*weight, place(*weight), "weight"));
  }
  check(weights.empty() || weights.size() == paths.size(),
        "{}: {} of {} [[data.source]] have a weight: give it to all, or to none", place(node), weights.size(),
        paths.size());
  out.push_back({"data.train", paths, place(node)});
  out.push_back({"data.weights", weights, place(node)});
}

void check_given_once(const std::vector<Setting>& settings) {
  std::set<std::string> keys;
  for (const Setting& s : settings)
    check(keys.insert(s.key).second, "{}: '{}' cannot be given beside [[data.source]]", s.where, s.key);
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& path,
             std::vector<Setting>& out) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (name == "data.source") {
      add_sources(node, path, out);
      continue;
    }
    if (const toml::table* inner = node.as_table()) {
      flatten(*inner, name + ".", path, out);
      continue;
    }
    const std::string where = fmt::format("{}:{}", path, key.source().begin.line);
    out.push_back({name, toml_json(node, where, name), where});
  }
}

}  // namespace

Json parse_toml_value(const std::string& text) {
  if (text.find('\n') != std::string::npos) return text;
  try {
    const toml::table table = toml::parse("value = " + text);
    const toml::node* node = table.get("value");
    if (node && !node->is_table() && table.size() == 1) return toml_json(*node, "command line", text);
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
  check_given_once(settings);
  return settings;
}

}  // namespace fathom
