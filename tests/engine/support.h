// Running requests through an engine to their end.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "ops/sample.h"

namespace fathom::testing {

// The token at this position by the op, of logits [1, V] in the host's memory.
inline int32_t pick_token(Device& device, const Tensor& logits, const SamplingParameters& p,
                          int64_t position) {
  double settings[] = {p.temperature, p.top_p, p.min_p, sampling_draw(p, position)};
  int32_t id = 0, top_k = static_cast<int32_t>(p.top_k);
  sample(device, {.ids = Tensor(&id, DType::i32, {1}),
                  .logits = logits,
                  .settings = Tensor(settings, DType::f64, {1, sample_setting::columns}),
                  .top_k = Tensor(&top_k, DType::i32, {1})});
  return id;
}

struct Answer {
  std::vector<int32_t> tokens;
  std::vector<double> log_probs;  // of the tokens
  std::string text;
  FinishReason finish = FinishReason::none;
  std::string error;
  ChosenExperts experts;
};

// Steps until nothing is left; answers by id.
inline std::map<int64_t, Answer> run_all(Engine& engine) {
  std::map<int64_t, Answer> answers;
  while (engine.busy())
    for (const Output& o : engine.step()) {
      Answer& a = answers[o.id];
      EXPECT_EQ(a.finish, FinishReason::none) << "output after the end";
      if (o.finish != FinishReason::error) a.tokens.push_back(o.token), a.log_probs.push_back(o.log_prob);
      a.text += o.text;
      a.finish = o.finish;
      a.error = o.error;
      a.experts = o.experts;
    }
  return answers;
}

inline Answer run_one(Engine& engine, const Request& request) {
  const int64_t id = engine.submit(request);
  return run_all(engine)[id];
}

}  // namespace fathom::testing
