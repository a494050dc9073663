// The whole engine on small random models: whatever the page size, the chunks, the batch, the form of
// attention, the same tokens come out as from the model without a cache.
#include "engine/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/prompt_chunk.h"
#include "engine/support.h"
#include "model/head.h"
#include "ops/dispatch.h"
#include "support/byte_tokenizer.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

std::vector<int32_t> random_prompt(const Config& c, int64_t length, uint64_t seed) {
  Rng rng(seed);
  std::vector<int32_t> ids(length);
  for (int32_t& id : ids) id = static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.vocab_size)));
  return ids;
}

Request request_of(std::vector<int32_t> prompt, int64_t max_tokens, SamplingParameters sampling = {}) {
  return {std::move(prompt), sampling, {max_tokens, {}, {}}};
}

// The oracle: one pass over all tokens so far for every token, no cache.
std::vector<int32_t> without_cache(Device& device, const Model& m, const Request& r) {
  std::vector<int32_t> tokens = r.prompt, out;
  for (int64_t i = 0; i < r.stop.max_tokens; ++i) {
    const auto N = static_cast<int64_t>(tokens.size());
    std::vector<int32_t> positions(N), starts = {0, static_cast<int32_t>(N)};
    for (int64_t t = 0; t < N; ++t) positions[t] = static_cast<int32_t>(t);
    Batch batch;
    batch.tokens = Tensor(tokens.data(), DType::i32, {N});
    batch.positions = Tensor(positions.data(), DType::i32, {N});
    batch.sequence_starts = Tensor(starts.data(), DType::i32, {2});
    const int64_t V = m.config.vocab_size;
    Arena memory("oracle", activation_bytes(m.config, m.dtype, Purpose::serving, {N, 1, N}) + V * 8 + 64);
    Activations a = allocate_activations(m.config, memory, m.dtype, Purpose::serving, {N, 1, N});
    const Tensor hidden = model_forward(device, m, batch, a);
    const Tensor logits = memory.allocate(stat_of(m.dtype), {1, V});
    head_logits(device, m, hidden.slice(N - 1, 1), logits);
    out.push_back(pick_token(device, logits, r.sampling, N));
    tokens.push_back(out.back());
  }
  return out;
}

void poison_cache(Engine& engine) {
  for (const Tensor& p : engine.runner().cache().pages)
    for (int64_t i = 0; i < p.count(); ++i) {
      if (p.dtype == DType::f64) p.as<double>()[i] = NAN;
      if (p.dtype == DType::f32) p.as<float>()[i] = NAN;
      if (p.dtype == DType::bf16) p.as<bf16>()[i] = bf16(NAN);
    }
}

struct Route {
  const char* name;
  Config config;
  Backend backend;
  DType dtype;
};

class EngineParity : public ::testing::TestWithParam<Route> {
 protected:
  EngineParity()
      : device_(GetParam().backend == Backend::cpu ? Device::cpu(2) : Device::reference()),
        model_(random_model(GetParam().config, GetParam().dtype)) {}

  Device device_;
  Model model_;
};

// Nine requests, greedy and sampled, of many lengths.
std::vector<Request> requests(const Config& c) {
  std::vector<Request> all;
  for (int i = 0; i < 9; ++i) {
    const SamplingParameters sampled{.temperature = 0.9, .top_k = 20, .top_p = 0.95, .seed = 100u + i};
    all.push_back(
        request_of(random_prompt(c, 1 + i * 5 % 23, 50 + i), 6 + i, i % 2 ? sampled : SamplingParameters{}));
  }
  return all;
}

TEST_P(EngineParity, EveryRouteGivesTheSameTokens) {
  const std::vector<Request> all = requests(model_.config);
  std::vector<std::vector<int32_t>> want;
  for (const Request& r : all) want.push_back(without_cache(device_, model_, r));

  for (const int64_t page : {1, 3, 16})
    for (const int64_t batch : {1, 8})
      for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}}) {
        // Chunks of 8; pages are short at batch 8, so that some sequences are preempted.
        const EngineOptions options{.cache_tokens = 60,
                                    .page_size = page,
                                    .max_sequences = batch,
                                    .token_budget = 8,
                                    .absorbed = absorbed};
        Engine engine(device_, model_, nullptr, options);
        poison_cache(engine);
        std::vector<int64_t> ids;
        for (const Request& r : all) ids.push_back(engine.submit(r));
        std::map<int64_t, Answer> answers = run_all(engine);
        for (size_t i = 0; i < all.size(); ++i)
          EXPECT_EQ(answers[ids[i]].tokens, want[i])
              << "page " << page << ", batch " << batch << ", request " << i;
        EXPECT_EQ(engine.blocks().free_pages(), engine.blocks().pages());
      }
}

TEST_P(EngineParity, SharedPrefixesChangeNothing) {
  const std::vector<int32_t> prompt = random_prompt(model_.config, 40, 3);
  const std::vector<int32_t> want = without_cache(device_, model_, request_of(prompt, 12));
  Engine engine(device_, model_, nullptr,
                {.cache_tokens = 200, .page_size = 4, .token_budget = 64, .absorbed = {}});
  poison_cache(engine);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run_one(engine, request_of(prompt, 12)).tokens, want) << "run " << i;
}

// Sixteen answers to one prompt, submitted at once: its whole pages run through the model once.
TEST_P(EngineParity, AGroupComputesItsPromptOnce) {
  constexpr int64_t group = 16, prompt = 45, page = 8, answer = 6;
  for (const int64_t budget : {16, 512}) {
    Engine engine(device_, model_, nullptr,
                  {.cache_tokens = 2000, .page_size = page, .token_budget = budget, .absorbed = {}});
    poison_cache(engine);
    std::map<int64_t, std::vector<int32_t>> want;
    for (uint64_t i = 0; i < group; ++i) {
      const Request r = request_of(random_prompt(model_.config, prompt, 3), answer,
                                   {.temperature = 1, .top_p = 0.95, .seed = i});
      want[engine.submit(r)] = without_cache(device_, model_, r);
    }
    for (const auto& [id, a] : run_all(engine)) EXPECT_EQ(a.tokens, want[id]) << "request " << id;
    EXPECT_EQ(engine.tokens_run(), prompt + (group - 1) * (prompt % page) + group * (answer - 1));
  }
}

// Requests that start alike in part and end one after another, so that batches of 19 sequences and fewer are
// filled up. 260 tokens of cache are too few for all: every page is taken, and sequences are preempted.
struct Shrinking {
  static constexpr size_t sequences = 19;
  std::vector<Request> requests;
  std::vector<std::vector<int32_t>> want;

  // Without those in which the token `never` occurs.
  Shrinking(Device& device, const Model& model, int32_t never = -1) {
    const std::vector<int32_t> prefix = random_prompt(model.config, 9, 7);
    for (int i = 0; requests.size() < sequences; ++i) {
      std::vector<int32_t> prompt = random_prompt(model.config, 1 + i * 5 % 13, 70 + i);
      if (i % 3 == 0) prompt.insert(prompt.begin(), prefix.begin(), prefix.end());
      const SamplingParameters sampled{.temperature = 0.9, .top_k = 20, .top_p = 0.95, .seed = 200u + i};
      const Request r = request_of(prompt, 2 + i % 19, i % 2 ? sampled : SamplingParameters{});
      const std::vector<int32_t> answer = without_cache(device, model, r);
      if (std::find(prompt.begin(), prompt.end(), never) != prompt.end()) continue;
      if (std::find(answer.begin(), answer.end(), never) != answer.end()) continue;
      requests.push_back(r), want.push_back(answer);
    }
  }
  void run(Engine& engine) const {
    std::map<int64_t, size_t> request_of_id;
    for (size_t i = 0; i < requests.size(); ++i) request_of_id[engine.submit(requests[i])] = i;
    for (const auto& [id, answer] : run_all(engine))
      EXPECT_EQ(answer.tokens, want[request_of_id[id]]) << "request " << request_of_id[id];
    EXPECT_EQ(engine.blocks().free_pages(), engine.blocks().pages());
  }
};

TEST_P(EngineParity, PaddingChangesNothing) {
  const Shrinking load(device_, model_);
  for (const int64_t page : {1, 4})
    for (const int64_t tokens : {260, 2000})
      for (const bool padded : {false, true}) {
        SCOPED_TRACE(fmt::format("page {}, {} tokens in the cache, padded {}", page, tokens, padded));
        Engine engine(device_, model_, nullptr,
                      {.cache_tokens = tokens,
                       .page_size = page,
                       .max_sequences = 24,
                       .token_budget = 40,
                       .absorbed = {},
                       .padded = padded});
        poison_cache(engine);
        load.run(engine);
        load.run(engine);  // over shared prefixes
      }
}

// Padding is token 0 in a page of its own, whatever comes of it.
TEST_P(EngineParity, PaddingThatIsNotFiniteChangesNothing) {
  if (model_.config.tie_word_embeddings) GTEST_SKIP() << "token 0's logit would not be finite in any row";
  const Shrinking load(device_, model_, /*never=*/0);
  const Tensor row = model_.weights.embed_tokens.data.slice(0, 1);
  if (row.dtype == DType::f64)
    std::fill_n(row.as<double>(), row.count(), NAN);
  else
    std::fill_n(row.as<float>(), row.count(), NAN);
  Engine engine(device_, model_, nullptr,
                {.cache_tokens = 2000,
                 .page_size = 4,
                 .max_sequences = 24,
                 .token_budget = 40,
                 .absorbed = {},
                 .padded = true});
  EXPECT_EQ(engine.runner().cache().pages[0].shape[0], engine.blocks().pages() + 1);
  poison_cache(engine);
  load.run(engine);
}

// Prompts up to the number of keys that are expanded at a time, and past it, when they are taken in chunks.
TEST_P(EngineParity, PromptsAcrossTheExpandedKeys) {
  for (const int64_t length : {19, 20, 21, 100}) {
    const Request r = request_of(random_prompt(model_.config, length, 4), 5);
    const std::vector<int32_t> want = without_cache(device_, model_, r);
    for (const int64_t page : {3, 16})
      for (const int64_t most : {1, 20, 8192})
        for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}}) {
          Engine engine(device_, model_, nullptr,
                        {.cache_tokens = 112,
                         .page_size = page,
                         .token_budget = 16,
                         .max_expanded_keys = most,
                         .absorbed = absorbed});
          poison_cache(engine);
          EXPECT_EQ(run_one(engine, r).tokens, want) << length << " tokens, at most " << most << " keys";
        }
  }
}

// Together they have more keys than the cache has rows.
TEST_P(EngineParity, SharedPrefixesInChunks) {
  const std::vector<int32_t> prefix = random_prompt(model_.config, 60, 3);
  Engine engine(device_, model_, nullptr,
                {.cache_tokens = 160,
                 .page_size = 4,
                 .max_sequences = 5,
                 .token_budget = 25,
                 .max_expanded_keys = 25,
                 .absorbed = false});
  poison_cache(engine);
  run_one(engine, request_of(prefix, 1));
  std::map<int64_t, std::vector<int32_t>> want;
  for (uint64_t i = 0; i < 5; ++i) {
    std::vector<int32_t> prompt = prefix;
    const std::vector<int32_t> rest = random_prompt(model_.config, static_cast<int64_t>(i), 10 + i);
    prompt.insert(prompt.end(), rest.begin(), rest.end());
    const Request r = request_of(prompt, 9);
    want[engine.submit(r)] = without_cache(device_, model_, r);
  }
  for (const auto& [id, answer] : run_all(engine)) EXPECT_EQ(answer.tokens, want[id]) << "request " << id;
}

std::vector<Route> routes() {
  return {{"v2_reference_f64", v2_like(), Backend::reference, DType::f64},
          {"lite_reference_f64", lite_like(), Backend::reference, DType::f64},
          {"v2_cpu_f32", v2_like(), Backend::cpu, DType::f32},
          {"lite_cpu_f32", lite_like(), Backend::cpu, DType::f32},
          {"gqa_reference_f64", gqa_like(), Backend::reference, DType::f64},
          {"llama_cpu_f32", llama_like(), Backend::cpu, DType::f32}};
}
INSTANTIATE_TEST_SUITE_P(All, EngineParity, ::testing::ValuesIn(routes()),
                         [](const auto& info) { return std::string(info.param.name); });

// But for the cache, and the few integers that say where its rows are.
TEST(EngineMemory, DoesNotGrowWithTheContext) {
  Config c = real_heads();
  c.max_position_embeddings = 1 << 20;
  Device device = Device::cpu(1);
  const Model model = make_model(device, c, DType::f32);
  const auto step = [&](int64_t tokens) {
    const int64_t cache = tokens * c.cache_width() * c.num_hidden_layers * size_of(model.dtype);
    return static_cast<double>(
        Engine::bytes(model, {.cache_tokens = tokens, .max_sequences = 1, .absorbed = {}}) - cache);
  };
  EXPECT_LT(step(1 << 20), 1.01 * step(1 << 15));
}

TEST(PromptChunk, IsNeverMoreThanThePrompt) {
  Device device = Device::cpu(1);
  const Model model = make_model(device, v2_like(), DType::f32);
  const EngineOptions options{.cache_tokens = 4096, .max_sequences = 1, .absorbed = {}};
  EXPECT_EQ(prompt_chunk(device, model, options, 5), 5);
  EXPECT_EQ(prompt_chunk(device, model, options, 4000), 2048);
}

class EngineTest : public ::testing::Test {
 protected:
  // A byte vocabulary with 14 padding rows.
  static Config byte_config() {
    Config c = v2_like();
    c.vocab_size = 271, c.max_position_embeddings = 96;
    return c;
  }

  Device device_ = Device::cpu(1);
  Model model_ = random_model(byte_config(), DType::f32, 3);
  Tokenizer tokenizer_ = byte_tokenizer();
  Engine engine_{
      device_, model_, &tokenizer_, {.page_size = 8, .max_sequences = 4, .token_budget = 32, .absorbed = {}}};
  // Random bytes are rarely UTF-8: U+FFFD stands for what is broken.
  std::string text_of(const std::vector<int32_t>& tokens) const {
    std::string text;
    StreamDecoder decoder(tokenizer_);
    for (const int32_t t : tokens) text += decoder.push(t);
    return text + decoder.flush();
  }

  SamplingParameters sampled_{.temperature = 1.5, .seed = 11};
};

TEST_F(EngineTest, EndsByMaxTokensAndByTheContext) {
  const Answer few = run_one(engine_, request_of({1, 2, 3}, 5, sampled_));
  EXPECT_EQ(few.tokens.size(), 5u);
  EXPECT_EQ(few.finish, FinishReason::length);
  const Answer all =
      run_one(engine_, request_of(random_prompt(model_.config, 90, 1), 1'000'000'000'000, sampled_));
  EXPECT_EQ(all.tokens.size(), 6u);
  EXPECT_EQ(all.finish, FinishReason::context);
  const Answer both = run_one(engine_, request_of(random_prompt(model_.config, 90, 1), 6, sampled_));
  EXPECT_EQ(both.tokens, all.tokens);
  EXPECT_EQ(both.finish, FinishReason::length);
}

TEST_F(EngineTest, AnyOfSeveralEosTokensEndsIt) {
  const std::vector<int32_t> free = run_one(engine_, request_of({5}, 30, sampled_)).tokens;
  Request r = request_of({5}, 30, sampled_);
  r.stop.eos_token_ids = {9999, free[12], free[7]};
  const Answer a = run_one(engine_, r);
  const auto first =
      std::find_if(free.begin(), free.end(), [&](int32_t t) { return t == free[12] || t == free[7]; });
  EXPECT_EQ(a.tokens, std::vector<int32_t>(free.begin(), first + 1)) << "the token itself counts";
  EXPECT_EQ(a.finish, FinishReason::stop);
  EXPECT_EQ(a.text, text_of({free.begin(), first})) << "and is not shown";
}

TEST_F(EngineTest, StopStringsEndItAndAreNotShown) {
  const std::vector<int32_t> free = run_one(engine_, request_of({7}, 60, sampled_)).tokens;
  const std::string text = text_of(free);
  size_t at = 10;  // three characters of one byte each
  while (at + 3 < text.size() &&
         !std::all_of(text.begin() + at, text.begin() + at + 3, [](char c) { return c > 0; }))
    ++at;
  ASSERT_LT(at + 3, text.size());
  Request r = request_of({7}, 60, sampled_);
  r.stop.strings = {"never", text.substr(at, 3)};
  const Answer a = run_one(engine_, r);
  EXPECT_EQ(a.finish, FinishReason::stop);
  EXPECT_EQ(a.text, text.substr(0, text.find(r.stop.strings[1])));
  EXPECT_LT(a.tokens.size(), free.size());
}

TEST_F(EngineTest, PaddingIsNeverSampled) {
  const Answer a = run_one(engine_, request_of({1}, 90, {.temperature = 1000, .seed = 1}));
  EXPECT_LT(*std::max_element(a.tokens.begin(), a.tokens.end()), tokenizer_.size());
}

TEST_F(EngineTest, AbortLeavesTheOthersAlone) {
  const std::vector<int32_t> want = run_one(engine_, request_of({3, 1, 4}, 20, sampled_)).tokens;
  const int64_t keep = engine_.submit(request_of({3, 1, 4}, 20, sampled_));
  const int64_t drop = engine_.submit(request_of({3, 1, 5}, 20, sampled_));
  engine_.step();
  engine_.abort(drop);
  engine_.abort(12345);
  std::map<int64_t, Answer> rest = run_all(engine_);
  EXPECT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[keep].tokens, std::vector<int32_t>(want.begin() + 1, want.end()));
}

TEST_F(EngineTest, RequestsThatCannotWorkAreErrors) {
  const auto complains = [&](Request r, const char* what) {
    return error_of([&] { engine_.submit(std::move(r)); }).find(what) != std::string::npos;
  };
  EXPECT_TRUE(complains(request_of({}, 5), "empty"));
  EXPECT_TRUE(complains(request_of(std::vector<int32_t>(96, 1), 5), "longest context"));
  EXPECT_TRUE(complains(request_of({1, 271}, 5), "271"));
  EXPECT_TRUE(complains(request_of({-1}, 5), "-1"));
  EXPECT_TRUE(complains(request_of({1}, 0), "max_tokens"));
  EXPECT_TRUE(complains(request_of({1}, 5, {.temperature = -2}), "temperature"));
  Request empty_stop = request_of({1}, 5);
  empty_stop.stop.strings = {""};
  EXPECT_TRUE(complains(empty_stop, "stop string"));
  EXPECT_FALSE(engine_.busy());
  Engine without_text(device_, model_, nullptr, {.absorbed = {}});
  empty_stop.stop.strings = {"x"};
  EXPECT_NE(error_of([&] { without_text.submit(empty_stop); }).find("tokenizer"), std::string::npos);
  EXPECT_NE(
      error_of([&] { Engine(device_, model_, nullptr, {.page_size = 0, .absorbed = {}}); }).find("page size"),
      std::string::npos);
}

TEST_F(EngineTest, PaddingOfTheVocabularyIsNeverPicked) {
  const int64_t known = tokenizer_.size();
  const Tensor padding = model_.weights.head.data.slice(known, model_.config.vocab_size - known);
  ASSERT_GT(padding.rows(), 0);
  std::fill_n(padding.as<float>(), padding.count(), NAN);
  for (uint64_t seed = 0; seed < 8; ++seed)
    for (const int32_t token :
         run_one(engine_, request_of({1}, 60, {.temperature = 1e6, .seed = seed})).tokens)
      EXPECT_LT(token, known);
}

TEST_F(EngineTest, WeightsThatAreNotNumbersEndEverySequence) {
  model_.weights.norm.data.as<float>()[0] = NAN;
  const Answer a = run_one(engine_, request_of({1}, 3));
  EXPECT_EQ(a.finish, FinishReason::error);
  EXPECT_NE(a.error.find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
