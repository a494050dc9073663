// What a model did with an item, as a record keeps it: from this, and the item, every score can be computed
// again without the model.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/sequence.h"
#include "eval/items.h"
#include "io/json.h"

namespace fathom {

// Of one answer of a choice.
struct MeasuredOption {
  std::vector<int32_t> ids;              // that were scored
  double sum = 0;                        // log P of them, in nats
  std::optional<double> unconditional;   // the same behind the unconditional prompt
  std::vector<std::string> tokens = {};  // in place of ids, of a server: as it spells them
  int64_t length() const { return static_cast<int64_t>(ids.size() + tokens.size()); }
};

// One generated answer.
struct MeasuredSample {
  std::string output;
  int64_t tokens = 0;
  FinishReason finish = FinishReason::none;
  bool cut() const { return finish == FinishReason::length || finish == FinishReason::context; }
};

struct Measured {
  std::string id;
  std::string prompt_hash;
  std::string asked_hash;  // in conversations: the same whatever the template, prompt_hash of the base form
  std::vector<std::string> prompts;  // one, or with contexts one for each option
  int64_t prompt_tokens = 0;         // of the longest
  int64_t shots = 0;                 // that it was shown
  bool truncated = false;            // the prompt lost its beginning
  std::string not_run;               // why there is no measurement: it counts as wrong
  std::vector<MeasuredOption> options;
  std::vector<MeasuredSample> samples;
  // Of a document: each token once.
  double nats = 0;
  int64_t tokens = 0, bytes = 0;
};

OrderedJson measured_json(const Measured& measured);
// Of a line of a record file. Error naming `where`.
Measured measured_from_json(const Json& json, const std::string& where);

}  // namespace fathom
