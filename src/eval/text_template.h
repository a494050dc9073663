// Templates of a task file. What comes out knows which of its bytes the data wrote, so that a data set cannot
// forge special tokens.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "text/jinja.h"

namespace fathom {

class TextTemplate {
 public:
  TextTemplate() = default;
  // Line ends at the end of the source stay. `name` stands in errors.
  TextTemplate(const std::string& source, const std::string& name);

  bool given() const { return template_.has_value(); }
  // Empty where none is given. Error for a variable that is not there.
  jinja::Text render(const Json& variables) const;
  std::string text(const Json& variables) const { return render(variables).bytes; }

 private:
  std::optional<jinja::Template> template_;
};

// Several texts: a list of templates, or one template that writes a JSON list of texts.
class ListTemplate {
 public:
  ListTemplate() = default;
  // Error naming the key unless it is a text or a list of texts.
  ListTemplate(const Json& source, const std::string& name);

  bool given() const { return whole_.given() || !parts_.empty(); }
  std::vector<jinja::Text> render(const Json& variables) const;

 private:
  std::string name_;
  TextTemplate whole_;
  std::vector<TextTemplate> parts_;
};

}  // namespace fathom
