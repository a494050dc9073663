#include "engine/verify_greedy.h"

#include "base/error.h"
#include "engine/engine.h"

namespace fathom {
namespace {

std::vector<int32_t> generate(Engine& engine, const std::vector<int32_t>& prompt, int64_t tokens) {
  engine.submit(
      {.prompt = prompt, .sampling = {}, .stop = {.max_tokens = tokens, .eos_token_ids = {}, .strings = {}}});
  std::vector<int32_t> generated;
  while (engine.busy())
    for (const Output& output : engine.step()) {
      check(output.finish != FinishReason::error, "{}", output.error);
      generated.push_back(output.token);
    }
  return generated;
}

std::vector<int32_t> generate_from_prefixes(Engine& engine, std::vector<int32_t> prefix,
                                            const std::vector<int32_t>& expected) {
  std::vector<int32_t> generated;
  for (const int32_t token : expected) {
    generated.push_back(generate(engine, prefix, 1).at(0));
    prefix.push_back(token);
  }
  return generated;
}

}  // namespace

std::optional<Verdict> verify_greedy(Device& device, const Model& model, const SafetensorsFile& golden) {
  if (!golden.entry("greedy")) return {};
  check(golden.entry("greedy_prompt") != nullptr, "{}: has 'greedy' but no 'greedy_prompt'", golden.path());
  const std::vector<int32_t> prompt = golden.read_ints("greedy_prompt"),
                             expected = golden.read_ints("greedy");
  check(!prompt.empty() && !expected.empty(), "{}: 'greedy_prompt' or 'greedy' is empty", golden.path());

  const auto length = static_cast<int64_t>(prompt.size() + expected.size());
  check(length <= model.config.max_position_embeddings,
        "{}: 'greedy_prompt' and 'greedy' are {} tokens, max_position_embeddings is {}", golden.path(),
        length, model.config.max_position_embeddings);
  EngineOptions options;
  options.cache_tokens = length + 2 * options.page_size;
  Engine engine(device, model, nullptr, options);
  const bool exact = model.dtype != DType::bf16;
  const std::vector<int32_t> got = exact ? generate(engine, prompt, static_cast<int64_t>(expected.size()))
                                         : generate_from_prefixes(engine, prompt, expected);
  size_t same = 0;
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) same += got[i] == expected[i];
  const double error = 1 - static_cast<double>(same) / static_cast<double>(expected.size());
  // bf16 logits are good to a few percent: a token whose lead is smaller than that may lose it.
  return Verdict{"greedy", error, exact ? 0.0 : 0.25};
}

}  // namespace fathom
