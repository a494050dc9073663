#include "eval/prompt_preview.h"

#include <algorithm>

#include "base/error.h"

namespace fathom {
namespace {

std::pair<const SubjectItems*, const Item*> find_item(const TaskItems& data, const std::string& id) {
  for (const SubjectItems& subject : data.subjects)
    for (const Item& item : subject.items)
      if (id.empty() || item.id == id) return {&subject, &item};
  fail("there is no item '{}'; the first is '{}'", id, find_item(data, "").second->id);
}

}  // namespace

std::string prompt_preview(const Task& task, const TaskItems& data, const std::string& item_id, uint64_t seed,
                           const ChatTemplate* chat) {
  const auto [subject, item] = find_item(data, item_id);
  std::string out =
      fmt::format("task {} (version {}), item {} of {}\n", task.name, task.version, item->id, item->where);
  for (const UpstreamFile& file : data.files) out += fmt::format("file {} {}\n", file.path, file.hash);
  if (task.form == TaskForm::text) return out + "--- document\n" + item->document + "\n---\n";
  const PromptMaker maker(task, chat);
  const std::vector<const Item*> shots = choose_shots(task, *subject, *item, seed);
  const std::vector<jinja::Text> prompts = maker.prompts(*subject, *item, shots, shots.size());
  out += fmt::format("{} examples{}\nprompt hash {}\n", shots.size(), chat ? ", as a conversation" : "",
                     prompt_hash(prompts, maker.delimiter(), item->answers));
  for (const jinja::Text& prompt : prompts) out += "--- prompt\n" + prompt.bytes + "\n---\n";
  if (task.form == TaskForm::generate) {
    for (const AnswerMetric& metric : task.answer_metrics)
      if (metric.keys.given() && metric.asks(item->subject))
        out += fmt::format("right by {}: {}\n", metric.name, fmt::join(keys_of(metric, item->fields), " | "));
    return out;
  }
  for (size_t i = 0; i < item->answers.size(); ++i)
    out += fmt::format("{} {}: {}\n", static_cast<int64_t>(i) == item->gold ? "*" : " ", item->labels[i],
                       Json(maker.delimiter() + item->answers[i].bytes)
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
  return out;
}

int64_t longest_prompt(const Task& task, const TaskItems& data) {
  size_t most = 0;
  for (const SubjectItems& subject : data.subjects) {
    size_t shot = 0;
    for (const Item& item : subject.pool)
      shot = std::max(shot, item.shot_prompt().size() + item.shot_answer().size() +
                                task.prompt.delimiter.size() + task.prompt.between.size());
    for (const Item& item : subject.items) {
      size_t prompt = item.document.size(), answer = 0;
      for (const jinja::Text& text : item.prompts) prompt = std::max(prompt, text.size());
      for (const jinja::Text& text : item.answers) answer = std::max(answer, text.size());
      most = std::max(most,
                      subject.intro.size() + static_cast<size_t>(task.shots.count) * shot + prompt + answer);
    }
  }
  constexpr int64_t around = 64;  // BOS, delimiter
  return static_cast<int64_t>(most) + around +
         (task.form == TaskForm::generate ? task.generation.max_tokens : 0);
}

}  // namespace fathom
