// Items as tokens: log-probabilities of answers, generated answers, log-probabilities of documents.
// An item's numbers depend on the item alone, but for rounding: whatever else is in the batch, in whatever
// order.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "eval/item_prompts.h"
#include "eval/item_requests.h"
#include "eval/measurer.h"
#include "eval/seam.h"

namespace fathom {

class Measurement : public Measurer {
 public:
  // With a chat template prompts are conversations. All must outlive this.
  Measurement(Answerer& answerer, const Tokenizer& tokenizer, const Task& task, const ChatTemplate* chat,
              MeasurementSettings settings);

  std::vector<Measured> measure(std::span<const ItemSpan> spans,
                                const std::function<void(int64_t)>& progress) override;
  void forget() override { answerer_.forget(); }

 private:
  // What is asked for an item; from any thread.
  ItemRequests requests_of(const SubjectItems& data, const Item& item) const;
  void ask_choice(ItemRequests& to, const SubjectItems& data, const Item& item) const;
  void ask_generation(ItemRequests& to, const SubjectItems& data, const Item& item) const;
  void ask_document(ItemRequests& to, const Item& item) const;
  std::vector<Seam> seams(const std::vector<jinja::Text>& prompts, const Item& item) const;
  bool shorten(std::vector<int32_t>& ids, int64_t excess, int64_t keep, Measured& measured) const;

  Answerer& answerer_;
  const Task& task_;
  ItemPrompts prompts_;
  SeamEncoder encoder_;
  MeasurementSettings settings_;
};

}  // namespace fathom
