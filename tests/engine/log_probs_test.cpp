// The log-probabilities that come with sampled tokens are those of a pass of the model as it trains, whatever
// the batch, the pages, the chunks, the form of attention and the order of requests.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/plain_pass.h"
#include "engine/plain_pass_routes.h"
#include "engine/support.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

class LogProbs : public ::testing::TestWithParam<PlainPassRoute> {
 protected:
  // Twelve requests, of which every third begins with the same tokens.
  std::vector<Request> requests() const {
    Rng rng(5);
    const auto random = [&](int64_t n) {
      std::vector<int32_t> ids(n);
      for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
      return ids;
    };
    const std::vector<int32_t> prefix = random(11);
    const double temperatures[] = {0, 0.7, 1, 1.4};
    std::vector<Request> all;
    for (int i = 0; i < 12; ++i) {
      Request r{random(1 + i * 5 % 23), {}, {4 + i, {}, {}}, /*log_probs=*/true};
      if (i % 3 == 0) r.prompt.insert(r.prompt.begin(), prefix.begin(), prefix.end());
      r.sampling = {.temperature = temperatures[i % 4], .top_k = i % 5 * 9, .seed = 100u + i};
      if (i % 2) r.sampling.top_p = 0.9, r.sampling.min_p = 0.02;
      all.push_back(std::move(r));
    }
    return all;
  }

  // Largest difference over the answer's tokens.
  double difference(const Request& r, const Answer& answer) {
    std::vector<int32_t> tokens = r.prompt;
    tokens.insert(tokens.end(), answer.tokens.begin(), answer.tokens.end());
    EXPECT_EQ(answer.tokens.size(), static_cast<size_t>(r.stop.max_tokens));
    const PlainPass plain = plain_pass(device_, model_, tokens);
    double worst = 0;
    for (size_t i = 0; i < answer.tokens.size(); ++i) {
      const double want =
          plain.log_prob(r.prompt.size() + i, answer.tokens[i], r.sampling.temperature, config_.vocab_size);
      worst = std::max(worst, std::abs(answer.log_probs[i] - want));
    }
    return worst;
  }
  double run(Engine& engine, std::vector<Request> all) {
    std::map<int64_t, Request> of_id;
    for (const Request& r : all) of_id[engine.submit(r)] = r;
    double worst = 0;
    for (const auto& [id, answer] : run_all(engine))
      worst = std::max(worst, difference(of_id.at(id), answer));
    return worst;
  }

  const Config config_ = GetParam().config;
  void SetUp() override { initialize_weights(device_, config_, model_.weights, 1); }

  Device device_ = Device::named(GetParam().device, 1);
  Model model_ = make_model(device_, config_, GetParam().dtype);
};

TEST_P(LogProbs, AreThoseOfThePlainPass) {
  std::vector<Request> forward = requests(), backward(forward.rbegin(), forward.rend()), shuffled = forward;
  Rng rng(9);
  for (size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[rng.below(i)]);
  double worst = 0;
  for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}})
    for (const int64_t sequences : {1, 8})
      for (const int64_t page : {3, 16})
        for (const bool padded : {false, true}) {
          if (GetParam().dtype == DType::bf16 && page == 3) continue;  // a larger model
          Engine engine(device_, model_, nullptr,
                        {.cache_tokens = 160,
                         .page_size = page,
                         .max_sequences = sequences,
                         .token_budget = 9,  // chunks of prompts
                         .absorbed = absorbed,
                         .padded = padded});
          for (const auto& order : {forward, backward, shuffled}) worst = std::max(worst, run(engine, order));
        }
  RecordProperty("worst", fmt::format("{:g}", worst));
  EXPECT_LE(worst, GetParam().bound);
}

TEST_P(LogProbs, AreForThoseWhoAsk) {
  std::vector<Request> all = requests();
  const auto tokens = [&](const std::vector<Request>& some) {
    Engine engine(device_, model_, nullptr, {.cache_tokens = 400, .page_size = 4, .absorbed = {}});
    std::vector<int64_t> ids;
    for (const Request& r : some) ids.push_back(engine.submit(r));
    std::map<int64_t, Answer> answers = run_all(engine);
    std::vector<std::vector<int32_t>> of_all;
    for (size_t i = 0; i < ids.size(); ++i) {
      const Answer& a = answers[ids[i]];
      of_all.push_back(a.tokens);
      for (const double p : a.log_probs) EXPECT_EQ(p != 0, some[i].log_probs);
    }
    return of_all;
  };
  const auto asked = tokens(all);
  for (size_t i = 0; i < all.size(); ++i) all[i].log_probs = i % 3 == 1;
  EXPECT_EQ(tokens(all), asked);
  for (Request& r : all) r.log_probs = false;
  EXPECT_EQ(tokens(all), asked);
}

INSTANTIATE_TEST_SUITE_P(All, LogProbs, ::testing::ValuesIn(plain_pass_routes()),
                         [](const auto& info) { return std::string(info.param.name); });

// Rows that pad the model's vocabulary are no tokens: they have no share.
TEST(LogProbsVocabulary, IsThatOfTheTokenizer) {
  Config c = v2_like();
  c.vocab_size = 271;
  Device device = Device::cpu(1);
  const Model model = random_model(c, DType::f32, 3);
  const Tokenizer tokenizer = byte_tokenizer();
  Engine engine(device, model, &tokenizer, {.cache_tokens = 64, .page_size = 8, .absorbed = {}});
  ASSERT_EQ(engine.vocabulary(), tokenizer.size());
  ASSERT_LT(engine.vocabulary(), c.vocab_size);
  const Tensor padding = model.weights.head.data.slice(tokenizer.size(), c.vocab_size - tokenizer.size());
  std::fill_n(padding.as<float>(), padding.count(), NAN);
  const Answer a = run_one(engine, {{1, 2, 3}, {.temperature = 1, .seed = 1}, {9, {}, {}}, true});
  std::vector<int32_t> tokens = {1, 2, 3};
  tokens.insert(tokens.end(), a.tokens.begin(), a.tokens.end());
  const PlainPass plain = plain_pass(device, model, tokens);
  ASSERT_EQ(a.log_probs.size(), 9u);
  for (size_t i = 0; i < 9; ++i)
    EXPECT_NEAR(a.log_probs[i], plain.log_prob(3 + i, a.tokens[i], 1, tokenizer.size()), 1e-5);
}

}  // namespace
}  // namespace fathom::testing
