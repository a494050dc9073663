// The experts that the engine returns are those that a pass of the model as it trains chooses, whatever was
// shared, evicted, computed again, cut into chunks or padded; and that pass can take them.
#include "engine/expert_record.h"

#include <gtest/gtest.h>

#include "engine/plain_pass.h"
#include "engine/support.h"
#include "support/gpus.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

struct Route {
  const char* name;
  Config config;
  std::string device;
  DType dtype;
};

class RecordedExperts : public ::testing::TestWithParam<Route> {
 protected:
  std::vector<int32_t> random_tokens(int64_t n, uint64_t seed) const {
    Rng rng(seed);
    std::vector<int32_t> ids(n);
    for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
    return ids;
  }
  // Fourteen requests, every second of which begins with the same tokens.
  std::vector<Request> requests() const {
    const std::vector<int32_t> prefix = random_tokens(13, 3);
    std::vector<Request> all;
    for (int i = 0; i < 14; ++i) {
      Request r{random_tokens(1 + i * 5 % 23, 50 + i), {}, {3 + i, {}, {}}, /*log_probs=*/true};
      if (i % 2 == 0) r.prompt.insert(r.prompt.begin(), prefix.begin(), prefix.end());
      r.sampling = {.temperature = 1, .seed = 100u + i};
      all.push_back(std::move(r));
    }
    return all;
  }
  std::vector<int32_t> seen(const Request& r, const Answer& a) const {
    std::vector<int32_t> tokens = r.prompt;
    tokens.insert(tokens.end(), a.tokens.begin(), a.tokens.end() - 1);
    return tokens;
  }
  void count(const ChosenExperts& got, const PlainPass& want, size_t tokens) {
    ASSERT_EQ(got.layers, config_.n_moe_layers());
    ASSERT_EQ(got.tokens(), got.layers == 0 ? 0 : static_cast<int64_t>(tokens));
    size_t at = 0;
    for (int64_t n = 0; n < got.tokens(); ++n)
      for (const std::vector<int32_t>& layer : want.experts)
        for (int64_t k = 0; !layer.empty() && k < got.k; ++k)
          ++choices_, differing_ += got.ids[at++] != layer[n * got.k + k];
  }

  int64_t choices_ = 0, differing_ = 0;
  const Config config_ = GetParam().config;
  Device device_ = Device::named(GetParam().device, 1);
  Model model_ = make_model(device_, config_, GetParam().dtype);
  void SetUp() override { initialize_weights(device_, config_, model_.weights, 1); }
};

TEST_P(RecordedExperts, AreThoseOfThePlainPass) {
  const std::vector<Request> all = requests();
  for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}})
    for (const int64_t sequences : {1, 8})
      for (const int64_t page : {3, 16})
        for (const bool padded : {false, true})
          for (const bool shared : {false, true}) {
            Engine engine(device_, model_, nullptr,
                          {.cache_tokens = 96,  // too few for all
                           .page_size = page,
                           .max_sequences = sequences,
                           .token_budget = 9,
                           .share_prefixes = shared,
                           .absorbed = absorbed,
                           .padded = padded,
                           .record_experts = true});
            for (int wave = 0; wave < 2; ++wave) {
              std::map<int64_t, size_t> of_id;
              for (size_t i = 0; i < all.size(); ++i) of_id[engine.submit(all[i])] = i;
              for (const auto& [id, answer] : run_all(engine)) {
                const Request& r = all[of_id.at(id)];
                ASSERT_EQ(answer.tokens.size(), static_cast<size_t>(r.stop.max_tokens));
                const std::vector<int32_t> tokens = seen(r, answer);
                count(answer.experts, plain_pass(device_, model_, tokens), tokens.size());
              }
            }
          }
  EXPECT_EQ(choices_ > 0, config_.n_moe_layers() > 0);
  // In f32 there are near ties.
  EXPECT_LE(differing_, config_.n_moe_layers() > 0 && GetParam().dtype == DType::f32 ? choices_ / 1000 : 0);
  RecordProperty("differing", fmt::format("{} of {}", differing_, choices_));
}

// Recording changes no token; and who does not ask gets none.
TEST_P(RecordedExperts, ChangeNothing) {
  const auto run = [&](bool record) {
    EngineOptions options{.cache_tokens = 96, .page_size = 4, .token_budget = 20, .absorbed = {}};
    options.record_experts = record;
    Engine engine(device_, model_, nullptr, options);
    for (const Request& r : requests()) engine.submit(r);
    std::vector<std::vector<int32_t>> tokens;
    for (const auto& [id, answer] : run_all(engine)) {
      tokens.push_back(answer.tokens);
      EXPECT_EQ(answer.experts.ids.empty(), !record || config_.n_moe_layers() == 0);
    }
    return tokens;
  };
  EXPECT_EQ(run(true), run(false));
}

std::vector<Route> routes() {
  std::vector<Route> all = {{"v2_reference_f64", v2_like(), "reference", DType::f64},
                            {"lite_reference_f64", lite_like(), "reference", DType::f64},
                            {"v2_cpu_f32", v2_like(), "cpu", DType::f32},
                            {"gqa_cpu_f32", gqa_like(), "cpu", DType::f32},
                            {"llama_cpu_f32", llama_like(), "cpu", DType::f32}};
  if (gpus() > 0) all.push_back({"v2_cuda_f32", v2_like(), "cuda", DType::f32});
  return all;
}
INSTANTIATE_TEST_SUITE_P(All, RecordedExperts, ::testing::ValuesIn(routes()),
                         [](const auto& info) { return std::string(info.param.name); });

// Rounding to bf16 moves tokens to other experts, and with them log-probabilities, unless the pass that
// trains takes those of the rollout.
TEST(ReplayedRollout, AgreesBetterThanAnotherChoice) {
  Config config = v2_like();
  config.hidden_size = 64, config.num_hidden_layers = 4, config.n_routed_experts = 16;
  for (const std::string& on :
       gpus() > 0 ? std::vector<std::string>{"cpu", "cuda"} : std::vector<std::string>{"cpu"}) {
    Device device = Device::named(on, 1);
    Model model = make_model(device, config, DType::bf16);
    initialize_weights(device, config, model.weights, 1);
    Engine engine(device, model, nullptr,
                  {.cache_tokens = 600, .page_size = 8, .absorbed = {}, .record_experts = true});
    ReplayedChoices choices;
    double replayed_gap = 0, own_gap = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
      Request r{{3, 1, 4, 1, 5}, {.temperature = 1, .seed = seed}, {40, {}, {}}, /*log_probs=*/true};
      const Answer a = run_one(engine, r);
      std::vector<int32_t> tokens = r.prompt;
      tokens.insert(tokens.end(), a.tokens.begin(), a.tokens.end() - 1);
      HostReplay host{.given = {}, .rows = {}, .keep_choice = true};
      host.append(config, a.experts);
      const auto N = static_cast<int64_t>(tokens.size());
      Arena memory("a replay", replay_bytes(config, N, N), device);
      const ExpertReplay replay = allocate_replay(device, config, memory, host);
      const PlainPass replayed = plain_pass(device, model, tokens, &replay),
                      own = plain_pass(device, model, tokens);
      const ReplayedChoices compared = compare_choices(device, replay, host);
      choices.choices += compared.choices, choices.differing += compared.differing;
      for (size_t i = 0; i < a.tokens.size(); ++i) {
        const auto gap = [&](const PlainPass& p) {
          return std::abs(a.log_probs[i] -
                          p.log_prob(r.prompt.size() + i, a.tokens[i], 1, config.vocab_size));
        };
        replayed_gap = std::max(replayed_gap, gap(replayed)), own_gap = std::max(own_gap, gap(own));
      }
    }
    EXPECT_EQ(choices.choices, 12 * 44 * 3 * 3);
    EXPECT_GT(choices.differing, 0);
    EXPECT_LT(static_cast<double>(choices.differing), 0.05 * static_cast<double>(choices.choices));
    EXPECT_LT(replayed_gap, 0.1);
    EXPECT_LT(replayed_gap, own_gap);
    RecordProperty("gaps", fmt::format("{:g} {:g} {}", replayed_gap, own_gap, choices.differing));
  }
}

TEST(ExpertRecord, RefusesMoreExpertsThanItsNumbersHold) {
  Config c = v2_like();
  c.n_routed_experts = (1 << 16) + 8;
  EXPECT_NE(error_of([&] { ExpertRecord(c, 1, 1); }).find("65544"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
