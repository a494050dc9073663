// Items through the engine: log-probabilities of answers, generated answers, log-probabilities of documents.
// An item's numbers depend on the item alone, but for rounding: whatever else is in the batch, in whatever
// order.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "engine/engine.h"
#include "eval/measurement_batch.h"
#include "eval/prompt.h"
#include "eval/seam.h"

namespace fathom {

struct MeasurementSettings {
  uint64_t seed = 1234;                // of examples and samples
  std::vector<int64_t> eos_token_ids;  // what ends an answer
};

class Measurement {
 public:
  // The engine scores (EngineOptions::score) and has no other requests; with a chat template prompts are
  // conversations. All must outlive this.
  Measurement(Engine& engine, const Tokenizer& tokenizer, const Task& task, const ChatTemplate* chat,
              MeasurementSettings settings);

  // In the order of the items, which are some of data.items. `progress` is called now and then with the
  // number of items that are done. Error when it is interrupted or the model's output is not finite.
  std::vector<Measured> measure(const SubjectItems& data, std::span<const Item> items,
                                const std::function<void(int64_t)>& progress);

 private:
  void add_choice(MeasurementBatch& batch, const SubjectItems& data, const Item& item);
  void add_generation(MeasurementBatch& batch, const SubjectItems& data, const Item& item);
  void add_document(MeasurementBatch& batch, const Item& item);
  std::vector<jinja::Text> choose_prompts(
      const SubjectItems& data, const Item& item, Measured& measured,
      const std::function<bool(const std::vector<jinja::Text>&)>& fits) const;
  std::vector<jinja::Text> continuations(const Item& item) const;
  std::vector<Seam> seams(const std::vector<jinja::Text>& prompts, const Item& item) const;
  bool shorten(std::vector<int32_t>& ids, int64_t excess, int64_t keep, Measured& measured) const;

  Engine& engine_;
  const Task& task_;
  PromptMaker prompts_;
  SeamEncoder encoder_;
  MeasurementSettings settings_;
};

}  // namespace fathom
