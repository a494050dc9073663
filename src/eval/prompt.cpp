#include "eval/prompt.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "base/error.h"
#include "base/rng.h"
#include "io/content_hash.h"

namespace fathom {
namespace {

uint64_t stream_of(const std::string& text) {
  return hash_value(text).low;
}

// The pool's places in the order in which examples are taken.
std::vector<size_t> order_of(const Task& task, size_t pool, const Item& item, uint64_t seed) {
  std::vector<size_t> order(pool);
  std::iota(order.begin(), order.end(), size_t{0});
  if (task.shots.choice == ShotChoice::first) return order;
  const std::string& of_item = task.shots.choice == ShotChoice::random_each ? item.id : "";
  Rng rng(seed, stream_of(task.name + '\n' + item.subject + '\n' + of_item));
  for (size_t i = 0; i + 1 < pool; ++i) std::swap(order[i], order[i + rng.below(pool - i)]);
  return order;
}

std::span<const Item* const> last_of(const std::vector<const Item*>& examples, size_t shots) {
  return std::span(examples).last(shots);
}

}  // namespace

std::vector<const Item*> choose_shots(const Task& task, const SubjectItems& data, const Item& item,
                                      uint64_t seed) {
  std::vector<const Item*> shots;
  const auto wanted = static_cast<size_t>(task.shots.count);
  if (wanted == 0) return shots;
  const std::string own = item.content();
  for (const size_t i : order_of(task, data.pool.size(), item, seed)) {
    if (data.pool[i].content() == own) continue;
    shots.push_back(&data.pool[i]);
    if (shots.size() == wanted) return shots;
  }
  fail("task {}{}: {} examples are wanted, and the pool has {} besides {}", task.name,
       item.subject.empty() ? "" : ", " + item.subject, wanted, shots.size(), item.where);
}

void check_shots(const Task& task, const TaskItems& data, uint64_t seed) {
  for (const SubjectItems& subject : data.subjects)
    for (const Item& item : subject.items) choose_shots(task, subject, item, seed);
}

PromptMaker::PromptMaker(const Task& task, const ChatTemplate* chat)
    : task_(task), chat_(chat), delimiter_(chat ? chat->answer_lead() : task.prompt.delimiter) {}

std::vector<jinja::Text> PromptMaker::prompts(const SubjectItems& data, const Item& item,
                                              const std::vector<const Item*>& examples, size_t shots) const {
  if (!chat_) return base_prompts(data, item, examples, shots);
  std::vector<jinja::Text> all;
  for (const jinja::Text& prompt : item.prompts)
    all.push_back(chat_->render(conversation(data, last_of(examples, shots), prompt),
                                {.add_generation_prompt = true, .variables = Json::object()}));
  return all;
}

std::vector<jinja::Text> PromptMaker::base_prompts(const SubjectItems& data, const Item& item,
                                                   const std::vector<const Item*>& examples,
                                                   size_t shots) const {
  jinja::Text before = data.intro;
  for (const Item* shot : last_of(examples, shots)) {
    before += shot->shot_prompt();
    before += jinja::Text(task_.prompt.delimiter, false);
    before += shot->shot_answer();
    before += jinja::Text(task_.prompt.between, false);
  }
  std::vector<jinja::Text> all;
  for (const jinja::Text& prompt : item.prompts) {
    all.push_back(before);
    all.back() += prompt;
  }
  return all;
}

Json conversation(const SubjectItems& data, std::span<const Item* const> shots, const jinja::Text& prompt) {
  Json messages = Json::array();
  const auto add = [&](const char* role, const std::string& content) {
    messages.push_back({{"role", role}, {"content", content}});
  };
  std::string intro = data.intro.bytes;
  while (intro.ends_with('\n')) intro.pop_back();
  if (!intro.empty()) add("system", intro);
  for (const Item* shot : shots) {
    add("user", shot->shot_prompt().bytes);
    add("assistant", shot->shot_answer().bytes);
  }
  add("user", prompt.bytes);
  return messages;
}

std::string prompt_hash(const std::vector<jinja::Text>& prompts, const std::string& delimiter,
                        const std::vector<jinja::Text>& answers) {
  ContentHash hash;
  const auto add = [&](const std::string& text) { hash.add(fmt::format("{}:{}", text.size(), text)); };
  for (const jinja::Text& prompt : prompts) add(prompt.bytes);
  add(delimiter);
  for (const jinja::Text& answer : answers) add(answer.bytes);
  return hash.digest();
}

}  // namespace fathom
