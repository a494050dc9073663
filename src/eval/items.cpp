#include "eval/items.h"

#include <algorithm>

#include "base/error.h"
#include "base/parse_number.h"

namespace fathom {
namespace {

std::string trimmed(const std::string& text) {
  constexpr std::string_view blanks = " \t\r\n";
  const size_t first = text.find_first_not_of(blanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(blanks) + 1 - first);
}

int64_t option_named(const std::string& gold, const std::vector<std::string>& labels) {
  const auto label = std::find(labels.begin(), labels.end(), gold);
  if (label != labels.end()) return label - labels.begin();
  const bool number = !gold.empty() && gold.find_first_not_of("0123456789") == std::string::npos;
  check(number && gold.size() < 10 && std::stoll(gold) < std::ssize(labels),
        "the right answer '{}' is neither a label ({}) nor a number below {}", shortened(gold),
        fmt::join(labels, ", "), labels.size());
  return std::stoll(gold);
}

void make_options(const Task& task, Item& item) {
  const Task::Choices& c = task.choices;
  for (const jinja::Text& label : c.labels.render(item.fields)) item.labels.push_back(label.bytes);
  if (c.texts.given())
    item.answers = c.texts.render(item.fields);
  else
    for (const std::string& label : item.labels) item.answers.emplace_back(label, false);
  if (c.contexts.given()) {
    item.prompts = c.contexts.render(item.fields);
    if (item.answers.size() == 1) item.answers.resize(item.prompts.size(), item.answers[0]);
    check(item.prompts.size() == item.answers.size(), "{} prompts for {} answers", item.prompts.size(),
          item.answers.size());
  }
  for (size_t i = item.labels.size(); i < item.answers.size() && !c.labels.given(); ++i)
    item.labels.push_back(i < 26 ? std::string(1, static_cast<char>('A' + i)) : std::to_string(i));
  check(item.answers.size() >= 2, "{} answers to choose from", item.answers.size());
  check(item.answers.size() == item.labels.size(), "{} answers for {} labels", item.answers.size(),
        item.labels.size());
  for (const jinja::Text& answer : item.answers) check(answer.size() > 0, "an answer is empty");
  item.gold = option_named(trimmed(c.gold.text(item.fields)), item.labels);
}

// A key that does not equal itself would never be found; nor would an instruction be followed that is none.
void check_keys(const AnswerMetric& metric, const Json& fields) {
  if (metric.kind == AnswerKind::instructions) instructions_of(metric, fields);
  if (!metric.keys.given()) return;
  for (const std::string& key : keys_of(metric, fields))
    check(score_answer(metric, key, {key}) == 1, "the right answer '{}' does not equal itself by metric {}",
          shortened(key), metric.name);
}

}  // namespace

std::string Item::content() const {
  std::string all;
  for (const jinja::Text& prompt : prompts) all += prompt.bytes + '\x1f';
  return all;
}

Item make_item(const Task& task, const UpstreamRow& row, const std::string& subject, int64_t place) {
  Item item;
  item.subject = subject, item.where = row.where;
  try {
    check(row.error.empty(), "{}", row.error);
    item.fields = row.fields;
    if (!subject.empty()) item.fields["subject"] = subject;
    for (const auto& [name, field] : task.fields) item.fields[name] = field.text(item.fields);
    item.id = task.id.given()   ? task.id.text(item.fields)
              : subject.empty() ? std::to_string(place)
                                : fmt::format("{}:{}", subject, place);
    item.cluster = task.cluster.given() ? task.cluster.text(item.fields) : item.id;
    if (task.form == TaskForm::text) {
      item.document = task.document.text(item.fields);
      check(!item.document.empty(), "the document is empty");
      return item;
    }
    if (task.prompt.item.given()) item.prompts = {task.prompt.item.render(item.fields)};
    if (task.form == TaskForm::choice) make_options(task, item);
    if (task.form == TaskForm::generate) {
      item.answers = {task.prompt.answer.render(item.fields)};
      for (const AnswerMetric& metric : task.answer_metrics)
        if (metric.asks(subject)) check_keys(metric, item.fields);
    }
  } catch (const Error& error) {
    const std::string what = error.what();
    fail("{}", what.starts_with(row.where) ? what : row.where + ": " + what);
  }
  return item;
}

}  // namespace fathom
