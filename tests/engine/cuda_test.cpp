// The engine on a GPU, whose decoding steps are recorded and replayed: the same tokens as on the CPU,
// whatever came before.
#include <gtest/gtest.h>

#include "engine/support.h"
#include "support/needs_gpu.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

Model model_on(Device& device, const Config& config) {
  Model m = make_model(device, config, DType::f32);
  initialize_weights(device, config, m.weights, 1);
  return m;
}

Request request_of(const Config& c, int64_t length, uint64_t seed, const SamplingParameters& sampling,
                   int64_t max_tokens = 24) {
  Request r{{}, sampling, {.max_tokens = max_tokens, .eos_token_ids = {}, .strings = {}}};
  Rng rng(seed);
  for (int64_t i = 0; i < length; ++i)
    r.prompt.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.vocab_size))));
  return r;
}

// Answers to waves of requests, each of another size than the one before. Sequences of a wave end one after
// another, so that batches shrink through many sizes, most of which are padded.
std::vector<std::vector<int32_t>> answers(const std::string& device_name, const Config& config,
                                          int64_t cache_tokens) {
  Device device = Device::named(device_name, 2);
  const Model model = model_on(device, config);
  Engine engine(device, model, nullptr,
                {.cache_tokens = cache_tokens,
                 .page_size = 4,
                 .max_sequences = 24,
                 .token_budget = 64,
                 .absorbed = {}});
  std::vector<std::vector<int32_t>> all;
  uint64_t seed = 0;
  for (const int wave : {1, 4, 1, 8, 21, 4, 1, 21, 24}) {
    std::vector<int64_t> ids;
    for (int i = 0; i < wave; ++i, ++seed) {
      const SamplingParameters sampled{.temperature = 0.9, .top_k = 20, .top_p = 0.95, .seed = seed};
      ids.push_back(engine.submit(request_of(config, 3 + static_cast<int64_t>(seed * 7 % 40), seed,
                                             seed % 3 ? SamplingParameters{} : sampled,
                                             4 + static_cast<int64_t>(seed % 21))));
    }
    std::map<int64_t, Answer> answered = run_all(engine);
    for (const int64_t id : ids) all.push_back(answered[id].tokens);
  }
  return all;
}

TEST(CudaEngine, GivesTheTokensOfTheCpu) {
  FATHOM_NEEDS_GPU();
  for (const Config& config : {v2_like(), lite_like(), gqa_like(), llama_like()})
    for (const int64_t cache_tokens : {400, 2000}) {  // with 400 sequences are preempted
      const auto want = answers("cpu", config, cache_tokens), got = answers("cuda", config, cache_tokens);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < want.size(); ++i) EXPECT_EQ(got[i], want[i]) << "request " << i;
    }
}

// One prompt after another through the default number of expanded keys, a prompt chunk being 2048 tokens.
std::vector<std::vector<int32_t>> deep_answers(const std::string& device_name, const Config& config,
                                               const std::vector<int64_t>& lengths) {
  Device device = Device::named(device_name, 2);
  const Model model = model_on(device, config);
  Engine engine(device, model, nullptr,
                {.cache_tokens = lengths.back() + 64,
                 .max_sequences = 1,
                 .token_budget = 2048,
                 .share_prefixes = false,
                 .absorbed = {}});
  std::vector<std::vector<int32_t>> all;
  for (const int64_t length : lengths)
    all.push_back(run_one(engine, request_of(config, length, 1, {})).tokens);
  return all;
}

TEST(CudaEngine, GivesTheTokensOfTheCpuAtEveryDepth) {
  FATHOM_NEEDS_GPU();
  Config config = lite_like();
  config.max_position_embeddings = 1 << 16;
  const std::vector<int64_t> lengths = {8191, 8192, 8193, 40'000};
  const auto want = deep_answers("cpu", config, lengths), got = deep_answers("cuda", config, lengths);
  for (size_t i = 0; i < lengths.size(); ++i) EXPECT_EQ(got[i], want[i]) << lengths[i] << " tokens";
}

}  // namespace
}  // namespace fathom::testing
