// Generation at the head sizes of real models, in f32 and bf16, on the CPU and on a GPU: prompts of some
// hundred tokens, whole and in chunks, shared prefixes, sequences that give way, one at a time and eight at
// once, absorbed and expanded. Whatever the route, every token is the best one in an f32 run without a cache
// over the same tokens and weights, or so near to it that rounding explains the difference.
#include <gtest/gtest.h>

#include <set>

#include "engine/support.h"
#include "engine/verify_greedy.h"
#include "io/checkpoint.h"
#include "support/needs_gpu.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

struct Where {
  const char* device;
  DType dtype;
};

class RealHeads : public ::testing::TestWithParam<Where> {
 protected:
  // The weights as they are in the model under test, in f32.
  Model in_f32() const {
    Device cpu = Device::cpu(1);
    Model stored = make_model(cpu, config_, GetParam().dtype), wide = make_model(cpu, config_, DType::f32);
    initialize_weights(cpu, config_, stored.weights, 1);
    const auto from = list_weights(config_, stored.weights), to = list_weights(config_, wide.weights);
    for (size_t i = 0; i < from.size(); ++i)
      copy_tensor(from[i].weight.data, to[i].weight.data, to[i].info.name);
    return wide;
  }

  std::vector<std::vector<int32_t>> prompts() const {
    Rng rng(3);
    std::vector<std::vector<int32_t>> all;
    for (const int length : {200, 240, 65, 130, 97, 1, 180, 64}) {
      std::vector<int32_t> ids(static_cast<size_t>(length));
      for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
      if (all.size() == 1) std::copy_n(all[0].begin(), 150, ids.begin());  // a prefix in common
      all.push_back(std::move(ids));
    }
    return all;
  }

  void expect_explained(const std::vector<int32_t>& prompt, const std::vector<int32_t>& answer,
                        const std::string& route) {
    ASSERT_EQ(answer.size(), tokens_) << route;
    std::vector<int32_t> ids = prompt;
    ids.insert(ids.end(), answer.begin(), answer.end());
    if (!explained_.insert(ids).second) return;
    const auto run = reference_.tokens(ids, static_cast<int64_t>(prompt.size()) - 1);
    const double allowed = greedy_tolerance(GetParam().dtype, config_.num_hidden_layers).value;
    for (size_t i = 0; i < answer.size(); ++i)
      EXPECT_LE(distance_from_best(run.logits, static_cast<int64_t>(i), answer[i]), allowed)
          << route << ", token " << i;
  }

  const Config config_ = real_heads();
  const size_t tokens_ = 12;
  std::set<std::vector<int32_t>> explained_;  // prompts with answers
  OwnReference reference_{[this] { return in_f32(); }};
};

TEST_P(RealHeads, EveryRouteGivesTheBestTokens) {
  if (std::string(GetParam().device) == "cuda") FATHOM_NEEDS_GPU();
  Device device = Device::named(GetParam().device, 2);
  Model model = make_model(device, config_, GetParam().dtype);
  initialize_weights(device, config_, model.weights, 1);
  const auto all = prompts();
  struct Route {
    const char* name;
    EngineOptions options;
  };
  // 1024 tokens of cache are less than the prompts and answers take: some sequences have to give way.
  for (const Route& route :
       {Route{"eight at once",
              {.cache_tokens = 1024, .max_sequences = 8, .token_budget = 512, .absorbed = {}}},
        Route{"absorbed", {.cache_tokens = 1024, .max_sequences = 8, .token_budget = 512, .absorbed = true}},
        Route{"expanded", {.cache_tokens = 2048, .max_sequences = 8, .token_budget = 512, .absorbed = false}},
        Route{"keys in chunks",
              {.cache_tokens = 2048,
              .max_sequences = 8,
              .token_budget = 96,
              .max_expanded_keys = 100,
              .absorbed = false}},
        Route{"one at a time",
              {.cache_tokens = 512, .max_sequences = 1, .token_budget = 96, .absorbed = {}}}}) {
    Engine engine(device, model, nullptr, route.options);
    std::vector<int64_t> ids;
    for (const auto& prompt : all)
      ids.push_back(engine.submit(
          {.prompt = prompt,
           .sampling = {},
           .stop = {.max_tokens = static_cast<int64_t>(tokens_), .eos_token_ids = {}, .strings = {}}}));
    std::map<int64_t, Answer> answers = run_all(engine);
    for (size_t i = 0; i < all.size(); ++i)
      expect_explained(all[i], answers[ids[i]].tokens,
                       std::string(route.name) + ", prompt " + std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RealHeads,
                         ::testing::Values(Where{"cpu", DType::f32}, Where{"cpu", DType::bf16},
                                           Where{"cuda", DType::f32}, Where{"cuda", DType::bf16}),
                         [](const auto& info) {
                           return std::string(info.param.device) + "_" +
                                  std::string(name_of(info.param.dtype));
                         });

}  // namespace
}  // namespace fathom::testing
