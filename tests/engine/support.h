// Running requests through an engine to their end.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "engine/engine.h"

namespace fathom::testing {

struct Answer {
  std::vector<int32_t> tokens;
  std::string text;
  FinishReason finish = FinishReason::none;
};

// Steps until nothing is left; answers by id.
inline std::map<int64_t, Answer> run_all(Engine& engine) {
  std::map<int64_t, Answer> answers;
  while (engine.busy())
    for (const Output& o : engine.step()) {
      Answer& a = answers[o.id];
      EXPECT_EQ(a.finish, FinishReason::none) << "output after the end";
      a.tokens.push_back(o.token);
      a.text += o.text;
      a.finish = o.finish;
    }
  return answers;
}

inline Answer run_one(Engine& engine, const Request& request) {
  const int64_t id = engine.submit(request);
  return run_all(engine)[id];
}

}  // namespace fathom::testing
