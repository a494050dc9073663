#include "align/rewards/declaration.h"

#include <algorithm>

#include "base/error.h"
#include "base/nearest.h"

namespace fathom {

RewardDeclaration read_declaration(const Json& table, const std::string& where) {
  const JsonObject object(table, where);
  RewardDeclaration declaration{
      .name = "", .kind = object.required<std::string>("kind"), .parameters = table, .where = where};
  declaration.name = object.defaulted<std::string>("name", declaration.kind);
  declaration.weight = object.defaulted("weight", 1.0);
  for (const char* key : {"name", "kind", "weight"}) declaration.parameters.erase(key);
  return declaration;
}

RewardParameters::RewardParameters(const RewardDeclaration& declaration)
    : object_(declaration.parameters, (declaration.where.empty() ? "" : declaration.where + ": ") +
                                          "reward '" + declaration.name + "'") {}

void RewardParameters::finish() const {
  for (const auto& [key, value] : object_.json().items())
    check(std::find(known_.begin(), known_.end(), key) != known_.end(), "{}: unknown key '{}'{}",
          object_.where(), key, did_you_mean(key, known_));
}

std::string RewardParameters::place(const std::string& key) const {
  return object_.where() + ": field '" + key + "'";
}

void RewardParameters::fail_at(const std::string& key, const std::string& reason) const {
  fail("{} {}", place(key), reason);
}

void RewardParameters::check_range(const std::string& key, double value, bool inside,
                                   const std::string& range) const {
  check(inside, "{} must be {}, got {}", place(key), range, value);
}

}  // namespace fathom
