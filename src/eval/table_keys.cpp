#include "eval/table_keys.h"

#include "base/error.h"
#include "base/nearest.h"

namespace fathom {
namespace {

const Json no_table = Json::object();

}  // namespace

TableKeys::TableKeys(const Json& table, std::string where) : table_(table), where_(std::move(where)) {
  check(table.is_object(), "{}: must be a table", where_);
}

const Json* TableKeys::find(const std::string& key) const {
  known_.insert(key);
  const auto at = table_.find(key);
  return at == table_.end() ? nullptr : &*at;
}

bool TableKeys::has(const std::string& key) const {
  return find(key) != nullptr;
}

std::string TableKeys::text(const std::string& key, const std::string& otherwise) const {
  const Json* value = find(key);
  return value ? read_value<std::string>(*value, {where_, key}) : otherwise;
}

std::vector<std::string> TableKeys::texts(const std::string& key, std::vector<std::string> otherwise) const {
  const Json* value = find(key);
  if (!value) return otherwise;
  if (value->is_string()) return {value->get<std::string>()};
  return read_value<std::vector<std::string>>(*value, {where_, key});
}

int64_t TableKeys::integer(const std::string& key, int64_t otherwise, int64_t low) const {
  const Json* value = find(key);
  const int64_t n = value ? read_value<int64_t>(*value, {where_, key}) : otherwise;
  check(n >= low, "{} must be at least {}, got {}", place(key), low, n);
  return n;
}

std::vector<int64_t> TableKeys::integers(const std::string& key) const {
  const Json* value = find(key);
  return value ? read_value<std::vector<int64_t>>(*value, {where_, key}) : std::vector<int64_t>();
}

double TableKeys::number(const std::string& key, double otherwise) const {
  const Json* value = find(key);
  return value ? read_value<double>(*value, {where_, key}) : otherwise;
}

bool TableKeys::truth(const std::string& key, bool otherwise) const {
  const Json* value = find(key);
  return value ? read_value<bool>(*value, {where_, key}) : otherwise;
}

TextTemplate TableKeys::templ(const std::string& key) const {
  const Json* value = find(key);
  return value ? TextTemplate(read_value<std::string>(*value, {where_, key}), place(key)) : TextTemplate();
}

ListTemplate TableKeys::list(const std::string& key) const {
  const Json* value = find(key);
  return value ? ListTemplate(*value, place(key)) : ListTemplate();
}

const Json& TableKeys::table(const std::string& key) const {
  const Json* value = find(key);
  return value ? *value : no_table;
}

void TableKeys::finish() const {
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (const auto& [key, value] : table_.items())
    check(known_.contains(key), "{}: unknown key '{}'{}", where_, key, did_you_mean(key, known));
}

}  // namespace fathom
