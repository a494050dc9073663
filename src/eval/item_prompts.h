// What an item is asked with: its prompts behind as many of its examples as fit, and what stands behind them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eval/measured.h"
#include "eval/prompt.h"

namespace fathom {

class ItemPrompts {
 public:
  // With a chat template prompts are conversations. `seed` is that of the examples. All must outlive this.
  ItemPrompts(const Task& task, const ChatTemplate* chat, uint64_t seed)
      : task_(task), maker_(task, chat), seed_(seed) {}

  // Whole examples go, the first ones first, until fits(prompts) or none is left; what was shown is noted in
  // `measured`. Those that were asked about last.
  std::vector<jinja::Text> choose(const SubjectItems& data, const Item& item, Measured& measured,
                                  const std::function<bool(const std::vector<jinja::Text>&)>& fits) const;
  // The same as messages, for a server that has the template: one conversation.
  Json choose_messages(const SubjectItems& data, const Item& item, Measured& measured,
                       const std::function<bool(const Json&)>& fits) const;
  // Its answers, with what stands between prompt and answer.
  std::vector<jinja::Text> continuations(const Item& item) const;

 private:
  // Of what a conversation says, whatever the template.
  std::string asked_hash(const SubjectItems& data, const Item& item, const std::vector<const Item*>& examples,
                         size_t shots) const;

  const Task& task_;
  PromptMaker maker_;
  uint64_t seed_;
};

// A sample's draws depend on the seed, the item and the sample's number alone.
uint64_t sample_seed(uint64_t seed, const std::string& item, int64_t sample);

}  // namespace fathom
