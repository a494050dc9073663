#include "train/recipe_check.h"

#include <algorithm>

#include "base/error.h"
#include "train/recipe_lora.h"

namespace fathom {
namespace {

void check_schedule(const Recipe& r, const std::string& where) {
  const Recipe::Schedule& s = r.schedule;
  const int lengths = (s.steps > 0) + (s.tokens > 0) + (r.run.epochs > 0);
  check(lengths == 1, "{}: give one of schedule.steps, schedule.tokens and run.epochs; {}", where,
        lengths == 0 ? "none is there"
                     : fmt::format("they are {}, {} and {:g}", s.steps, s.tokens, r.run.epochs));
  check(s.decay == Decay::step || s.decay_at.empty(), "{}: schedule.decay_at needs schedule.decay = \"step\"",
        where);
  check(s.decay != Decay::step || !s.decay_at.empty(),
        "{}: schedule.decay = \"step\" needs schedule.decay_at", where);
  for (size_t i = 1; i < s.decay_at.size(); ++i)
    check(s.decay_at[i - 1] < s.decay_at[i], "{}: schedule.decay_at must rise, {:g} is followed by {:g}",
          where, s.decay_at[i - 1], s.decay_at[i]);
}

void check_weights(const Recipe::Data& data, const std::string& where) {
  const std::vector<double>& weights = data.weights;
  if (weights.empty()) return;
  check(weights.size() == data.train.size(), "{}: data.weights has {} numbers for {} entries of data.train",
        where, weights.size(), data.train.size());
  check(std::any_of(weights.begin(), weights.end(), [](double w) { return w > 0; }),
        "{}: data.weights: none is above 0", where);
  check(data.validation_fraction == 0,
        "{}: data.validation_fraction is of one stream, not of sources with data.weights: let fathom prepare "
        "set text aside, or name data.validation",
        where);
}

}  // namespace

void check_together(const Recipe& r, const std::string& where) {
  check(!r.data.train.empty(), "{}: data.train is missing", where);
  check_weights(r.data, where);
  check(!r.run.output.empty(), "{}: run.output is missing", where);
  check(r.model.config.empty() || r.model.init_from.empty(),
        "{}: give one of model.config and model.init_from", where);
  check(!r.model.config.empty() || !r.model.init_from.empty() || !r.model.fields.empty(),
        "{}: no model: give model.config, model.init_from or its fields", where);
  check_lora(r, where);
  check(r.model.extend_from == 0 || r.model.extend_to > 0, "{}: model.extend_from needs model.extend_to",
        where);
  const Recipe::Batch& b = r.batch;
  check(r.method == TrainingMethod::grpo || b.sequences % b.micro_batch == 0,
        "{}: batch.sequences = {} must be a multiple of batch.micro_batch = {}", where, b.sequences,
        b.micro_batch);
  check((b.ramp_from > 0) == (b.ramp_tokens > 0), "{}: batch.ramp_from and batch.ramp_tokens go together",
        where);
  check(b.ramp_from <= b.sequences, "{}: batch.ramp_from = {} must be at most batch.sequences = {}", where,
        b.ramp_from, b.sequences);
  const Recipe::Anomalies& a = r.anomaly;
  check(a.rollback <= a.window, "{}: anomaly.rollback = {} must be at most anomaly.window = {}", where,
        a.rollback, a.window);
  check_schedule(r, where);
  check(r.method == TrainingMethod::train || r.parallel.pipeline == 1,
        "{}: parallel.pipeline = {}: fathom {} works on ranks of data and expert parallelism", where,
        r.parallel.pipeline, name_of(r.method));
  const bool sft = r.method == TrainingMethod::sft;
  check(sft || r.chat.overlong == "drop", "{}: chat.overlong = \"cut\" is for fathom sft: an answer that is compared must be whole", where);
  check(r.chat.overlong == "drop" || r.chat.overlong == "cut",
        "{}: 'chat.overlong' is '{}': expected drop or cut", where, r.chat.overlong);
}

}  // namespace fathom
