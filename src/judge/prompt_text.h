// A judge's prompt with places for questions and answers: "{question}". What is filled in is never searched
// for places itself.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

enum class Braces {
  plain,    // a brace that begins no place is a brace
  doubled,  // the same, and "{{" and "}}" are one brace, as in Python's str.format
};

class PromptText {
 public:
  // A place is a name of letters, digits and "_" between braces, without blanks.
  PromptText(std::string_view text, Braces braces);

  const std::vector<std::string>& names() const { return names_; }
  // Error naming `where` for a place that `values` has nothing for.
  std::string fill(const std::map<std::string, std::string>& values, const std::string& where) const;

 private:
  // literals_[0] names_[0] literals_[1] ... literals_.back()
  std::vector<std::string> literals_, names_;
};

}  // namespace fathom
