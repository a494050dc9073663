#include "eval/item_prompts.h"

#include "io/content_hash.h"
#include "text/sent_json.h"

namespace fathom {
namespace {

std::vector<std::string> bytes_of(const std::vector<jinja::Text>& texts) {
  std::vector<std::string> all;
  for (const jinja::Text& text : texts) all.push_back(text.bytes);
  return all;
}

}  // namespace

std::vector<jinja::Text> ItemPrompts::choose(
    const SubjectItems& data, const Item& item, Measured& measured,
    const std::function<bool(const std::vector<jinja::Text>&)>& fits) const {
  const std::vector<const Item*> examples = choose_shots(task_, data, item, seed_);
  size_t shots = examples.size();
  std::vector<jinja::Text> prompts = maker_.prompts(data, item, examples, shots);
  while (!fits(prompts) && shots > 0) prompts = maker_.prompts(data, item, examples, --shots);
  measured.shots = static_cast<int64_t>(shots);
  measured.prompts = bytes_of(prompts);
  measured.prompt_hash = prompt_hash(prompts, maker_.delimiter(), item.answers);
  if (maker_.chat()) measured.asked_hash = asked_hash(data, item, examples, shots);
  return prompts;
}

Json ItemPrompts::choose_messages(const SubjectItems& data, const Item& item, Measured& measured,
                                  const std::function<bool(const Json&)>& fits) const {
  const std::vector<const Item*> examples = choose_shots(task_, data, item, seed_);
  size_t shots = examples.size();
  Json messages = conversation(data, examples, item.prompts[0]);
  while (!fits(messages) && shots > 0)
    messages = conversation(data, std::span(examples).last(--shots), item.prompts[0]);
  measured.shots = static_cast<int64_t>(shots);
  measured.prompts = {json_line(messages)};
  measured.prompt_hash = prompt_hash({jinja::Text(measured.prompts[0], true)}, "", {});
  measured.asked_hash = asked_hash(data, item, examples, shots);
  return messages;
}

std::string ItemPrompts::asked_hash(const SubjectItems& data, const Item& item,
                                    const std::vector<const Item*>& examples, size_t shots) const {
  return prompt_hash(maker_.base_prompts(data, item, examples, shots), task_.prompt.delimiter, item.answers);
}

std::vector<jinja::Text> ItemPrompts::continuations(const Item& item) const {
  std::vector<jinja::Text> texts;
  for (const jinja::Text& answer : item.answers) {
    texts.emplace_back(maker_.delimiter(), false);
    texts.back() += answer;
  }
  return texts;
}

uint64_t sample_seed(uint64_t seed, const std::string& item, int64_t sample) {
  return hash_value(fmt::format("{} {} {}", seed, sample, item)).low;
}

}  // namespace fathom
