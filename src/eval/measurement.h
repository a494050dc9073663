// Items as tokens: log-probabilities of answers, generated answers, log-probabilities of documents.
// An item's numbers depend on the item alone, but for rounding: whatever else is in the batch, in whatever
// order.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "eval/item_prompts.h"
#include "eval/measurement_batch.h"
#include "eval/measurer.h"
#include "eval/seam.h"

namespace fathom {

class Measurement : public Measurer {
 public:
  // With a chat template prompts are conversations. All must outlive this.
  Measurement(Answerer& answerer, const Tokenizer& tokenizer, const Task& task, const ChatTemplate* chat,
              MeasurementSettings settings);

  std::vector<Measured> measure(const SubjectItems& data, std::span<const Item> items,
                                const std::function<void(int64_t)>& progress) override;
  void forget() override { answerer_.forget(); }

 private:
  void add_choice(MeasurementBatch& batch, const SubjectItems& data, const Item& item);
  void add_generation(MeasurementBatch& batch, const SubjectItems& data, const Item& item);
  void add_document(MeasurementBatch& batch, const Item& item);
  std::vector<Seam> seams(const std::vector<jinja::Text>& prompts, const Item& item) const;
  bool shorten(std::vector<int32_t>& ids, int64_t excess, int64_t keep, Measured& measured) const;

  Answerer& answerer_;
  const Task& task_;
  ItemPrompts prompts_;
  SeamEncoder encoder_;
  MeasurementSettings settings_;
};

}  // namespace fathom
