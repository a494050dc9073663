#include "engine/prompt_chunk.h"

#include <algorithm>

#include "tensor/memory.h"

namespace fathom {

int64_t prompt_chunk(const Device& device, const Model& model, EngineOptions options, int64_t prompt) {
  constexpr int64_t on_cpu = 2048, most_on_gpu = 8192, least_on_gpu = 512;
  const std::optional<int64_t> free = free_memory(device);
  if (!free) return std::min(on_cpu, prompt);
  // A tenth stays for workspaces and recorded steps.
  const int64_t usable = *free / 10 * 9;
  for (int64_t chunk = most_on_gpu; chunk > least_on_gpu; chunk /= 2) {
    options.token_budget = std::min(chunk, prompt);
    if (Engine::bytes(model, options) <= usable) return options.token_budget;
  }
  return std::min(least_on_gpu, prompt);
}

}  // namespace fathom
