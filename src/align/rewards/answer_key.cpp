#include "align/rewards/answer_key.h"

#include "base/error.h"

namespace fathom {
namespace {

// A field by its name, or by the names of the objects around it: "reward_model.ground_truth".
const Json* find_field(const Json& row, const std::string& path) {
  if (!row.is_object()) return nullptr;
  if (const auto whole = row.find(path); whole != row.end()) return &*whole;
  const size_t dot = path.find('.');
  if (dot == std::string::npos) return nullptr;
  const auto outer = row.find(path.substr(0, dot));
  return outer == row.end() ? nullptr : find_field(*outer, path.substr(dot + 1));
}

}  // namespace

AnswerKey::AnswerKey(RewardParameters& parameters, std::vector<std::string> extractors)
    : field_(parameters.optional<std::string>("field", "answer")),
      extractors_(parameters.names("key_extract", std::move(extractors), parse_extractor)) {
  if (extractors_.empty()) parameters.fail_at("key_extract", "must name an extractor");
}

std::vector<std::string> AnswerKey::of(const Json& row) const {
  const Json* value = find_field(row, field_);
  check(value && !value->is_null(), "the row has no field '{}'", field_);
  if (!value->is_array()) return {accepted(*value)};
  check(!value->empty(), "the row's field '{}' is an empty list", field_);
  std::vector<std::string> answers;
  for (const Json& element : *value) answers.push_back(accepted(element));
  return answers;
}

std::string AnswerKey::accepted(const Json& value) const {
  check(value.is_primitive() && !value.is_null(), "the row's field '{}' is no answer", field_);
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const std::optional<std::string> answer = extract_first(text, extractors_);
  check(answer.has_value(), "no answer found in the row's field '{}'", field_);
  return *answer;
}

}  // namespace fathom
