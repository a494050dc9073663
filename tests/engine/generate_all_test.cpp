// Many requests to their ends: the answers are those of each alone, in the order of the requests, and
// whatever stops the work leaves the engine free.
#include "engine/generate_all.h"

#include <gtest/gtest.h>

#include "engine/support.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

class GenerateAll : public ::testing::Test {
 protected:
  static Config config() {
    Config c = v2_like();
    c.vocab_size = 271;
    return c;
  }
  // Of many lengths, in groups of three with one prompt.
  std::vector<Request> requests(int n) const {
    Rng rng(5);
    std::vector<Request> all;
    for (int i = 0; i < n; ++i) {
      Request r{{}, {.temperature = 1, .seed = 10u + i}, {1 + i * 7 % 12, {}, {}}, i % 2 == 1};
      for (int t = 0; t < 1 + i * 5 % 19; ++t) r.prompt.push_back(static_cast<int32_t>(rng.below(256)));
      if (i % 3 > 0) r.prompt = all.back().prompt;
      all.push_back(std::move(r));
    }
    return all;
  }
  void expect_free() {
    EXPECT_FALSE(engine_.busy());
    EXPECT_EQ(engine_.blocks().free_pages(), engine_.blocks().pages());
    EXPECT_EQ(generate_all(engine_, requests(3)).size(), 3u);
  }

  Device device_ = Device::cpu(1);
  Model model_ = random_model(config(), DType::f32, 3);
  Tokenizer tokenizer_ = byte_tokenizer();
  EngineOptions options_{.cache_tokens = 200,
                         .page_size = 4,
                         .max_sequences = 4,
                         .token_budget = 32,
                         .absorbed = {},
                         .padded = {},
                         .record_experts = true};
  Engine engine_{device_, model_, &tokenizer_, options_};
};

TEST_F(GenerateAll, GivesTheAnswersOfEachAlone) {
  const std::vector<Request> all = requests(40);
  GenerationProgress last;
  const std::vector<Completion> got = generate_all(engine_, all, [&](const GenerationProgress& p) {
    EXPECT_GE(p.finished, last.finished);
    EXPECT_GT(p.tokens + p.finished, 0);
    last = p;
    return true;
  });
  ASSERT_EQ(got.size(), all.size());
  int64_t tokens = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    Engine alone(device_, model_, &tokenizer_, options_);
    const Answer want = run_one(alone, all[i]);
    EXPECT_EQ(got[i].tokens, want.tokens) << "request " << i;
    EXPECT_EQ(got[i].text, want.text);
    EXPECT_EQ(got[i].finish, FinishReason::length);
    EXPECT_EQ(got[i].experts.tokens(), static_cast<int64_t>(all[i].prompt.size() + want.tokens.size()) - 1);
    ASSERT_EQ(got[i].log_probs.size(), all[i].log_probs ? want.tokens.size() : 0);
    for (size_t t = 0; t < got[i].log_probs.size(); ++t)
      EXPECT_NEAR(got[i].log_probs[t], want.log_probs[t], 1e-5);
    tokens += static_cast<int64_t>(want.tokens.size());
  }
  EXPECT_EQ(last.finished, 40);
  EXPECT_EQ(last.tokens, tokens);
  EXPECT_TRUE(generate_all(engine_, {}).empty());
  expect_free();
}

TEST_F(GenerateAll, RequestsAreMadeWhenThereIsRoom) {
  const std::vector<Request> all = requests(30);
  int64_t made = 0, ended = 0;
  std::vector<bool> seen(30);
  generate_each(
      engine_,
      [&]() -> std::optional<Request> {
        EXPECT_LT(made - ended, 2 * engine_.max_sequences());
        if (made == 30) return {};
        return all[static_cast<size_t>(made++)];
      },
      [&](int64_t n, Completion&& c) {
        EXPECT_FALSE(seen.at(static_cast<size_t>(n)));
        seen[static_cast<size_t>(n)] = true;
        EXPECT_EQ(static_cast<int64_t>(c.tokens.size()), all[static_cast<size_t>(n)].stop.max_tokens);
        ++ended;
      });
  EXPECT_EQ(made, 30);
  EXPECT_EQ(ended, 30);
}

TEST_F(GenerateAll, StopsWhenItIsTold) {
  const std::vector<Request> all = requests(40);
  const std::vector<Completion> whole = generate_all(engine_, all);
  const std::vector<Completion> some =
      generate_all(engine_, all, [](const GenerationProgress& p) { return p.finished < 9; });
  ASSERT_EQ(some.size(), all.size());
  int64_t finished = 0, begun = 0;
  for (size_t i = 0; i < some.size(); ++i) {
    finished += some[i].finish != FinishReason::none;
    begun += some[i].finish == FinishReason::none && !some[i].tokens.empty();
    ASSERT_LE(some[i].tokens.size(), whole[i].tokens.size());
    EXPECT_TRUE(std::equal(some[i].tokens.begin(), some[i].tokens.end(), whole[i].tokens.begin()));
  }
  EXPECT_GE(finished, 9);
  EXPECT_LT(finished, 14);
  EXPECT_GT(begun, 0);
  expect_free();
}

TEST_F(GenerateAll, ErrorsLeaveTheEngineFree) {
  EXPECT_THROW(generate_all(engine_, requests(20),
                            [](const GenerationProgress& p) {
                              check(p.finished < 3, "enough");
                              return true;
                            }),
               Error);
  expect_free();
  int64_t made = 0;
  const std::vector<Request> all = requests(20);
  EXPECT_THROW(generate_each(
                   engine_, [&] { return std::optional(all[static_cast<size_t>(made++)]); },
                   [](int64_t, Completion&&) { fail("no room for it"); }),
               Error);
  expect_free();
  std::vector<Request> with_bad_one = requests(20);
  with_bad_one[15].prompt = {9999};
  EXPECT_NE(error_of([&] { generate_all(engine_, with_bad_one); }).find("9999"), std::string::npos);
  expect_free();
}

TEST_F(GenerateAll, AnEngineWithOtherRequestsIsRefused) {
  engine_.submit(requests(1)[0]);
  EXPECT_NE(error_of([&] { generate_all(engine_, requests(2)); }).find("other requests"), std::string::npos);
  EXPECT_TRUE(engine_.busy());
}

TEST_F(GenerateAll, AnAnswerThatFailsIsToldAndTheOthersGoOn) {
  const Tensor row = model_.weights.embed_tokens.data.slice(7, 1);
  std::fill_n(row.as<float>(), row.count(), NAN);
  std::vector<Request> all = requests(6);
  for (Request& r : all) std::replace(r.prompt.begin(), r.prompt.end(), 7, 8), r.stop.max_tokens = 1;
  all[2].prompt = {1, 7, 2};
  const std::vector<Completion> got = generate_all(engine_, all);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].finish, i == 2 ? FinishReason::error : FinishReason::length);
    EXPECT_EQ(got[i].error.find("not finite") != std::string::npos, i == 2);
    EXPECT_EQ(got[i].tokens.size(), i == 2 ? 0u : 1u);
  }
}

}  // namespace
}  // namespace fathom::testing
