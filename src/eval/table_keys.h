// A table of a task file. Every key that is read is known; finish() refuses the others, with the nearest
// name.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "eval/text_template.h"
#include "io/json.h"

namespace fathom {

class TableKeys {
 public:
  // `where`: "mmlu.toml" or "mmlu.toml: [data]". The table must outlive this.
  TableKeys(const Json& table, std::string where);
  TableKeys(Json&&, std::string) = delete;

  bool has(const std::string& key) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  // A list of texts, or one text.
  std::vector<std::string> texts(const std::string& key, std::vector<std::string> otherwise) const;
  int64_t integer(const std::string& key, int64_t otherwise, int64_t low) const;
  std::vector<int64_t> integers(const std::string& key) const;
  double number(const std::string& key, double otherwise) const;
  bool truth(const std::string& key, bool otherwise) const;
  TextTemplate templ(const std::string& key) const;
  ListTemplate list(const std::string& key) const;
  // An empty one where there is none.
  const Json& table(const std::string& key) const;

  std::string place(const std::string& key) const { return where_ + ": key '" + key + "'"; }
  void finish() const;

 private:
  const Json* find(const std::string& key) const;

  const Json& table_;
  std::string where_;
  mutable std::set<std::string> known_;
};

}  // namespace fathom
