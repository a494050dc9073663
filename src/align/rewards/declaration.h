// A reward as a recipe declares it: one table [[grpo.reward]].
#pragma once
#include <string>
#include <vector>

#include "base/parse_number.h"
#include "io/json.h"

namespace fathom {

struct RewardDeclaration {
  std::string name;                  // in metrics and tables: letters, digits, "_", "-", "."; unique
  std::string kind;                  // of reward_kinds()
  double weight = 1;                 // in the sum; 0: recorded, and not part of it
  Json parameters = Json::object();  // the table's other keys
  std::string where;                 // "recipe.toml:12", for errors
};

// From the keys of a table. The name is by default the kind. Error naming the key.
RewardDeclaration read_declaration(const Json& table, const std::string& where);

// Reads the parameters of a declaration. Errors say "WHERE: reward 'NAME': field 'KEY' ...".
class RewardParameters {
 public:
  explicit RewardParameters(const RewardDeclaration& declaration);

  template <class T>
  T required(const std::string& key) {
    known_.push_back(key);
    return object_.required<T>(key);
  }
  template <class T>
  T optional(const std::string& key, T otherwise) {
    known_.push_back(key);
    return object_.defaulted<T>(key, std::move(otherwise));
  }
  // A number within a range.
  template <class T>
  T number(const std::string& key, T otherwise, const Allowed<T>& allowed) {
    const T value = optional<T>(key, otherwise);
    check_range(key, static_cast<double>(value),
                (allowed.low_excluded ? value > allowed.low : value >= allowed.low) && value <= allowed.high,
                range_text(allowed));
    return value;
  }
  // A list of names, each read by `parse` (name, where).
  template <class Parse>
  auto names(const std::string& key, std::vector<std::string> otherwise, const Parse& parse) {
    std::vector<decltype(parse(std::string(), std::string()))> values;
    for (const std::string& name : optional<std::vector<std::string>>(key, std::move(otherwise)))
      values.push_back(parse(name, place(key)));
    return values;
  }
  bool has(const std::string& key) const { return object_.contains(key); }

  // To be called after everything was read: Error for a key that nothing asked for.
  void finish() const;
  [[noreturn]] void fail_at(const std::string& key, const std::string& reason) const;
  // "WHERE: reward 'NAME': field 'KEY'"
  std::string place(const std::string& key) const;

 private:
  void check_range(const std::string& key, double value, bool inside, const std::string& range) const;

  JsonObject object_;
  std::vector<std::string> known_;
};

}  // namespace fathom
