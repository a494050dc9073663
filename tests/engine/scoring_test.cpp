// Log-probabilities of given tokens are those of a pass of the model as it trains, whatever the batch, the
// pages, the chunks, the form of attention, what is shared, and the order of requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "engine/generate_all.h"
#include "engine/plain_pass.h"
#include "engine/plain_pass_routes.h"
#include "engine/support.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

std::vector<int32_t> random_tokens(Rng& rng, int64_t n, int64_t vocabulary) {
  std::vector<int32_t> ids(static_cast<size_t>(n));
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(vocabulary)));
  return ids;
}

class Scores : public ::testing::TestWithParam<PlainPassRoute> {
 protected:
  void SetUp() override { initialize_weights(device_, config_, model_.weights, 1); }

  // Fourteen requests. Of each three two begin alike, and one of those scores a part that the other has in
  // the pages they could share; the last ones score the first token that can be scored, or the next alone.
  std::vector<Request> requests() const {
    Rng rng(5);
    const std::vector<int32_t> prefix = random_tokens(rng, 17, config_.vocab_size);
    std::vector<Request> all;
    for (int64_t i = 0; i < 14; ++i) {
      Request r{random_tokens(rng, 2 + i * 5 % 23, config_.vocab_size), {}, {}};
      if (i % 3 != 1) r.prompt.insert(r.prompt.begin(), prefix.begin(), prefix.end());
      const auto length = static_cast<int64_t>(r.prompt.size());
      Scoring s{.first = i % 3 == 0 ? length - 1 : std::max<int64_t>(length / 3, 1), .next = {}};
      if (i == 12) s.first = length;
      if (i == 13) s.first = 1;
      if (i % 2 == 0 || i == 12) s.next = random_tokens(rng, 1 + i % 4, config_.vocab_size);
      r.scoring = s;
      all.push_back(std::move(r));
    }
    return all;
  }

  // What the plain pass says, computed once.
  std::vector<std::vector<double>> expected(const std::vector<Request>& all) {
    std::vector<std::vector<double>> scores;
    for (const Request& r : all) {
      const PlainPass plain = plain_pass(device_, model_, r.prompt);
      std::vector<double> s;
      for (auto i = static_cast<size_t>(r.scoring->first); i < r.prompt.size(); ++i)
        s.push_back(plain.log_prob(i, r.prompt[i], 1, config_.vocab_size));
      for (const int32_t next : r.scoring->next)
        s.push_back(plain.log_prob(r.prompt.size(), next, 1, config_.vocab_size));
      scores.push_back(std::move(s));
    }
    return scores;
  }

  const Config config_ = GetParam().config;
  Device device_ = Device::named(GetParam().device, 1);
  Model model_ = make_model(device_, config_, GetParam().dtype);
};

double worst_difference(const std::vector<std::vector<double>>& want, const std::vector<Completion>& got,
                        const std::vector<size_t>& order) {
  double worst = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(got[i].finish, FinishReason::scored) << got[i].error;
    EXPECT_TRUE(got[i].tokens.empty());
    const auto& w = want[order[i]];
    EXPECT_EQ(got[i].scores.size(), w.size());
    for (size_t j = 0; j < std::min(w.size(), got[i].scores.size()); ++j)
      worst = std::max(worst, std::abs(got[i].scores[j] - w[j]));
  }
  return worst;
}

TEST_P(Scores, AreThoseOfThePlainPass) {
  const std::vector<Request> all = requests();
  const std::vector<std::vector<double>> want = expected(all);
  std::vector<size_t> forward(all.size()), shuffled;
  for (size_t i = 0; i < all.size(); ++i) forward[i] = i;
  shuffled = forward;
  Rng rng(9);
  for (size_t i = shuffled.size(); i > 1; --i) std::swap(shuffled[i - 1], shuffled[rng.below(i)]);
  double worst = 0;
  for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}})
    for (const int64_t sequences : {1, 8})
      for (const int64_t page : {3, 16})
        for (const bool share : {true, false}) {
          if (GetParam().dtype == DType::bf16 && page == 3) continue;
          Engine engine(device_, model_, nullptr,
                        {.cache_tokens = 96,  // some are preempted
                         .page_size = page,
                         .max_sequences = sequences,
                         .token_budget = 9,  // chunks of prompts
                         .share_prefixes = share,
                         .absorbed = absorbed,
                         .score = true});
          for (const auto& order : {forward, shuffled}) {
            std::vector<Request> ordered;
            for (const size_t i : order) ordered.push_back(all[i]);
            worst = std::max(worst, worst_difference(want, generate_all(engine, ordered), order));
          }
        }
  RecordProperty("worst", fmt::format("{:g}", worst));
  EXPECT_LE(worst, GetParam().bound);
}

// A prefix that many share is computed once, as far as nobody asks for what its rows say.
TEST_P(Scores, ComputeSharedPrefixesOnce) {
  Rng rng(3);
  const std::vector<int32_t> prefix = random_tokens(rng, 64, config_.vocab_size);
  for (const int64_t first : {65, 64}) {
    std::vector<Request> all;
    for (int i = 0; i < 8; ++i) {
      Request r{prefix, {}, {}};
      const std::vector<int32_t> own = random_tokens(rng, 5, config_.vocab_size);
      r.prompt.insert(r.prompt.end(), own.begin(), own.end());
      r.scoring = Scoring{.first = first, .next = {1}};
      all.push_back(std::move(r));
    }
    Engine engine(device_, model_, nullptr,
                  {.cache_tokens = 1024, .page_size = 16, .max_sequences = 8, .absorbed = {}, .score = true});
    generate_all(engine, all);
    // The token 64 is scored by the last row of the prefix, whose page everybody then runs.
    EXPECT_EQ(engine.tokens_run(), 69 + 7 * (first == 65 ? 5 : 5 + 16));
  }
}

// Beside sequences that generate, both give what they give alone.
TEST_P(Scores, AndAnswersInOneBatch) {
  std::vector<Request> all = requests();
  const std::vector<std::vector<double>> want = expected(all);
  std::vector<Request> mixed;
  for (const Request& r : all) {
    mixed.push_back(r);
    mixed.push_back({r.prompt, {}, {5, {}, {}}});
  }
  const auto engine = [&](int64_t sequences) {
    return Engine(
        device_, model_, nullptr,
        {.cache_tokens = 400, .page_size = 4, .max_sequences = sequences, .absorbed = {}, .score = true});
  };
  Engine together = engine(8), alone = engine(1);
  const std::vector<Completion> got = generate_all(together, mixed), one = generate_all(alone, mixed);
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(got[2 * i].scores.size(), want[i].size());
    for (size_t j = 0; j < want[i].size(); ++j)
      EXPECT_NEAR(got[2 * i].scores[j], want[i][j], GetParam().bound);
    EXPECT_EQ(got[2 * i + 1].tokens.size(), 5u);
    if (GetParam().dtype != DType::bf16) {
      EXPECT_EQ(got[2 * i + 1].tokens, one[2 * i + 1].tokens);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Scores, ::testing::ValuesIn(plain_pass_routes()),
                         [](const auto& info) { return std::string(info.param.name); });

class ScoringRequests : public ::testing::Test {
 protected:
  std::string refusal(const Request& request, bool score = true) {
    Engine engine(device_, model_, &tokenizer_,
                  {.cache_tokens = 64, .page_size = 8, .absorbed = {}, .score = score});
    try {
      engine.submit(request);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  static Config config() {
    Config c = v2_like();
    c.vocab_size = 271;
    return c;
  }
  Device device_ = Device::cpu(1);
  Model model_ = random_model(config(), DType::f32);
  const Tokenizer tokenizer_ = byte_tokenizer();
};

TEST_F(ScoringRequests, ThatCannotWorkAreRefused) {
  const auto asked = [](std::vector<int32_t> prompt, int64_t first, std::vector<int32_t> next) {
    return Request{
        .prompt = std::move(prompt), .sampling = {}, .stop = {}, .scoring = Scoring{first, std::move(next)}};
  };
  EXPECT_EQ(refusal(asked({1, 2}, 1, {})), "");
  EXPECT_THAT(refusal(asked({1, 2}, 1, {}), false), HasSubstr("was not made to score"));
  EXPECT_THAT(refusal(asked({1, 2}, 0, {})), HasSubstr("from 1 to the prompt's 2, not from 0"));
  EXPECT_THAT(refusal(asked({1, 2}, 3, {1})), HasSubstr("not from 3"));
  EXPECT_THAT(refusal(asked({1, 2}, 2, {})), HasSubstr("no token is to be scored"));
  // Rows that pad the model's vocabulary are no tokens.
  EXPECT_THAT(refusal(asked({1, 2}, 2, {260})), HasSubstr("token id 260"));
  EXPECT_THAT(refusal(asked({1, 260}, 1, {})), HasSubstr("token id 260"));
  EXPECT_THAT(refusal(asked({1, 2}, 2, std::vector<int32_t>(65, 1))), HasSubstr("at most 64"));
  // The whole cache, and one token more.
  EXPECT_EQ(refusal(asked(std::vector<int32_t>(64, 1), 64, {1})), "");
  EXPECT_THAT(refusal(asked(std::vector<int32_t>(65, 1), 64, {1})), HasSubstr("65 tokens"));
}

TEST_F(ScoringRequests, AreTakenOverTheTokenizersVocabulary) {
  const Tensor padding = model_.weights.head.data.slice(tokenizer_.size(), 271 - tokenizer_.size());
  std::fill_n(padding.as<float>(), padding.count(), NAN);
  Engine engine(device_, model_, &tokenizer_,
                {.cache_tokens = 64, .page_size = 8, .absorbed = {}, .score = true});
  const std::vector<int32_t> prompt = {1, 2, 3};
  const auto got = generate_all(
      engine, {{.prompt = prompt, .sampling = {}, .stop = {}, .scoring = Scoring{.first = 2, .next = {7}}}});
  const PlainPass plain = plain_pass(device_, model_, prompt);
  ASSERT_EQ(got[0].scores.size(), 2u) << got[0].error;
  EXPECT_NEAR(got[0].scores[0], plain.log_prob(2, 3, 1, tokenizer_.size()), 1e-5);
  EXPECT_NEAR(got[0].scores[1], plain.log_prob(3, 7, 1, tokenizer_.size()), 1e-5);
}

TEST_F(ScoringRequests, WithoutFiniteOutputEndWithAnError) {
  std::fill_n(model_.weights.head.data.row<float>(7), 20, NAN);
  Engine engine(device_, model_, &tokenizer_,
                {.cache_tokens = 64, .page_size = 8, .absorbed = {}, .score = true});
  const auto got = generate_all(
      engine,
      {{.prompt = {1, 2, 3}, .sampling = {}, .stop = {}, .scoring = Scoring{.first = 1, .next = {}}}});
  EXPECT_EQ(got[0].finish, FinishReason::error);
  EXPECT_THAT(got[0].error, HasSubstr("not finite"));
}

}  // namespace
}  // namespace fathom::testing
