// The text before an answer: intro, examples, the item. In the base form one after another; in the chat form
// as the messages of a conversation, through the model's template.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eval/items.h"
#include "text/chat_template.h"

namespace fathom {

// The examples of an item: exactly task.shots.count of the pool, in the order in which they stand. They
// depend on (task, item, seed) alone. What asks the same as the item is left out. Error when the pool has too
// few.
std::vector<const Item*> choose_shots(const Task& task, const SubjectItems& data, const Item& item,
                                      uint64_t seed);

// Error unless every item has its examples: before a model is loaded.
void check_shots(const Task& task, const TaskItems& data, uint64_t seed);

class PromptMaker {
 public:
  // Without a chat template in the base form. Both must outlive this.
  PromptMaker(const Task& task, const ChatTemplate* chat);

  // One for each of item.prompts, behind the last `shots` of these examples.
  std::vector<jinja::Text> prompts(const SubjectItems& data, const Item& item,
                                   const std::vector<const Item*>& examples, size_t shots) const;
  // The same in the base form, whatever the template.
  std::vector<jinja::Text> base_prompts(const SubjectItems& data, const Item& item,
                                        const std::vector<const Item*>& examples, size_t shots) const;
  // What stands between prompt and answer.
  const std::string& delimiter() const { return delimiter_; }
  bool chat() const { return chat_ != nullptr; }

 private:
  const Task& task_;
  const ChatTemplate* chat_;
  std::string delimiter_;
};

// The messages of the chat form: the intro as the system's, examples as earlier turns.
Json conversation(const SubjectItems& data, std::span<const Item* const> shots, const jinja::Text& prompt);

// Of all that the model is shown and scored on.
std::string prompt_hash(const std::vector<jinja::Text>& prompts, const std::string& delimiter,
                        const std::vector<jinja::Text>& answers);

}  // namespace fathom
