#include "cli/training_samples.h"

#include <algorithm>
#include <map>

#include "engine/engine.h"

namespace fathom {
namespace {

Request request_of(const Recipe& recipe, const Config& config, const Tokenizer& tokenizer,
                   const std::string& prompt) {
  Request request;
  request.prompt = tokenizer.encode(prompt);
  request.sampling.temperature = recipe.sample.temperature;
  request.sampling.seed = recipe.run.seed;
  request.stop.max_tokens = recipe.sample.tokens;
  request.stop.eos_token_ids = config.eos_token_ids;
  return request;
}

}  // namespace

std::vector<std::string> training_samples(Device& device, const Model& model, const Recipe& recipe,
                                          const std::string& tokenizer_folder) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_folder);
  std::vector<Request> requests;
  int64_t longest = 1;
  for (const std::string& prompt : recipe.sample.prompts) {
    requests.push_back(request_of(recipe, model.config, tokenizer, prompt));
    longest = std::max(longest, static_cast<int64_t>(requests.back().prompt.size()) + recipe.sample.tokens);
  }
  const EngineOptions options = EngineOptions::for_sequences(
      static_cast<int64_t>(requests.size()), std::min(longest, model.config.max_position_embeddings));
  Engine engine(device, model, &tokenizer, options);
  std::map<int64_t, size_t> prompt_of;  // a sequence's
  for (size_t i = 0; i < requests.size(); ++i) prompt_of[engine.submit(std::move(requests[i]))] = i;
  std::vector<std::string> texts(recipe.sample.prompts.size());
  while (engine.busy())
    for (const Output& out : engine.step()) texts[prompt_of.at(out.id)] += out.text + out.error;
  return texts;
}

}  // namespace fathom
