// What `fathom generate` tells about what it generated.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "engine/sequence.h"
#include "model/model.h"

namespace fathom {

struct Generation {
  std::vector<int32_t> ids;
  std::string text;
  FinishReason finish = FinishReason::none;  // none: interrupted
  std::string error;                         // why it could not continue
  double load = 0, prefill = 0, decode = 0;  // seconds
};

// For people, on standard error.
void print_statistics(const Generation& generation, const Request& request, const Model& model);
// One object, on standard output.
void print_json(const Generation& generation, const Request& request, const Model& model);

}  // namespace fathom
