#include "eval/text_template.h"

#include "base/error.h"

namespace fathom {

// Jinja takes one line end off a template's end: it gets one to take.
TextTemplate::TextTemplate(const std::string& source, const std::string& name)
    : template_(std::in_place, source + "\n", name) {}

jinja::Text TextTemplate::render(const Json& variables) const {
  if (!template_) return {};
  jinja::Value value = jinja::Value::from_json(variables);
  return template_->render(*value.dict(), {.strict = true});
}

ListTemplate::ListTemplate(const Json& source, const std::string& name) : name_(name) {
  if (source.is_string()) {
    whole_ = TextTemplate(source.get<std::string>(), name);
    return;
  }
  check(source.is_array() && !source.empty(), "{}: must be a template or a list of templates", name);
  for (const Json& part : source) {
    check(part.is_string(), "{}: must be a list of templates", name);
    parts_.emplace_back(part.get<std::string>(), name);
  }
}

std::vector<jinja::Text> ListTemplate::render(const Json& variables) const {
  std::vector<jinja::Text> texts;
  for (const TextTemplate& part : parts_) texts.push_back(part.render(variables));
  if (!whole_.given()) return texts;
  const Json list = parse_json(whole_.text(variables), name_);
  check(list.is_array(), "{}: must write a JSON list", name_);
  for (const Json& element : list) {
    check(element.is_string(), "{}: must write a JSON list of texts", name_);
    texts.emplace_back(element.get<std::string>(), true);
  }
  return texts;
}

}  // namespace fathom
