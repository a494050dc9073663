// A sequence for which the model computes NaN, among others in a batch: it ends with an error of its own, the
// others give what they give alone, and no page that it wrote is shared.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/support.h"
#include "support/needs_gpu.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t prompt_length = 21;

Model model_on(Device& device, DType dtype) {
  const Config config = v2_like();
  Model m = make_model(device, config, dtype);
  initialize_weights(device, config, m.weights, 1);
  return m;
}

Request request_of(uint64_t seed, int64_t length = prompt_length) {
  Request r{{}, {}, {.max_tokens = 7, .eos_token_ids = {}, .strings = {}}};
  Rng rng(seed);
  for (int64_t i = 0; i < length; ++i) r.prompt.push_back(static_cast<int32_t>(rng.below(61)));
  return r;
}

// The token's embedding becomes NaN.
void poison_embedding(const Device& device, const Model& model, int32_t token) {
  const Tensor row = model.weights.embed_tokens.data.slice(token, 1);
  std::vector<float> f32(static_cast<size_t>(row.cols()), NAN);
  std::vector<double> f64(static_cast<size_t>(row.cols()), NAN);
  void* nan = row.dtype == DType::f64 ? static_cast<void*>(f64.data()) : f32.data();
  upload(device, row, Tensor(nan, row.dtype, {1, row.cols()}));
  synchronize(device);
}

struct Case {
  std::string device;
  DType dtype;
  int64_t page_size;
  std::optional<bool> absorbed;
};

class NotFinite {
 public:
  explicit NotFinite(const Case& c)
      : case_(c), device_(Device::named(c.device, 2)), model_(model_on(device_, c.dtype)) {
    std::set<int32_t> seen;
    for (uint64_t seed = 0; seed < 4; ++seed) {
      healthy_.push_back(request_of(seed, 5 + 6 * static_cast<int64_t>(seed)));
      const Answer alone = alone_answer(healthy_.back());
      EXPECT_EQ(alone.finish, FinishReason::length);
      want_.push_back(alone.tokens);
      seen.insert(healthy_.back().prompt.begin(), healthy_.back().prompt.end());
      seen.insert(alone.tokens.begin(), alone.tokens.end());
    }
    while (seen.contains(bad_)) ++bad_;
    poison_embedding(device_, model_, bad_);
  }

  // The bad token at this place of a prompt that otherwise starts like a healthy one.
  Request poisoned(size_t place) const {
    Request r = healthy_.back();
    r.prompt[place] = bad_;
    return r;
  }

  void run() {
    Engine engine = make_engine();
    for (const size_t place : {size_t{0}, size_t{13}, healthy_.back().prompt.size() - 1}) {
      std::vector<int64_t> ids;
      for (size_t i = 0; i < 2; ++i) ids.push_back(engine.submit(healthy_[i]));
      const int64_t bad = engine.submit(poisoned(place));
      for (size_t i = 2; i < healthy_.size(); ++i) ids.push_back(engine.submit(healthy_[i]));
      std::map<int64_t, Answer> answers = run_all(engine);
      EXPECT_EQ(answers[bad].finish, FinishReason::error);
      EXPECT_TRUE(answers[bad].tokens.empty());
      EXPECT_THAT(answers[bad].error, HasSubstr("not finite"));
      for (size_t i = 0; i < healthy_.size(); ++i) {
        EXPECT_EQ(answers[ids[i]].tokens, want_[i]) << "bad token at " << place << ", request " << i;
        EXPECT_EQ(answers[ids[i]].finish, FinishReason::length);
      }
      EXPECT_EQ(engine.blocks().free_pages(), engine.blocks().pages());
    }
  }

  // With sound weights again, a prompt that met NaN before gives what it gives in a new engine: none of its
  // pages were kept.
  void run_with_weights_mended() {
    Engine engine = make_engine();
    const Request r = poisoned(13);
    EXPECT_EQ(run_one(engine, r).finish, FinishReason::error);
    const Model sound = model_on(device_, case_.dtype);
    upload(device_, model_.weights.embed_tokens.data, host_copy(sound.weights.embed_tokens.data));
    synchronize(device_);
    const Answer again = run_one(engine, r);
    EXPECT_EQ(again.finish, FinishReason::length) << again.error;
    EXPECT_EQ(again.tokens, alone_answer(r).tokens);
  }

 private:
  // Chunks of 8 tokens; pages are enough for all.
  Engine make_engine() {
    return Engine(device_, model_, nullptr,
                  {.cache_tokens = 400,
                   .page_size = case_.page_size,
                   .max_sequences = 8,
                   .token_budget = 8,
                   .absorbed = case_.absorbed});
  }
  Answer alone_answer(const Request& r) {
    Engine engine = make_engine();
    return run_one(engine, r);
  }
  Tensor host_copy(const Tensor& t) {
    Staging staging(device_);
    const ConstTensor host = staging.read(t);
    bytes_.assign(static_cast<const std::byte*>(host.data),
                  static_cast<const std::byte*>(host.data) + host.bytes());
    return Tensor(bytes_.data(), t.dtype, {t.shape[0], t.shape[1]});
  }

  Case case_;
  Device device_;
  Model model_;
  std::vector<Request> healthy_;
  std::vector<std::vector<int32_t>> want_;
  std::vector<std::byte> bytes_;
  int32_t bad_ = 0;
};

void run_on(const std::string& device, DType dtype) {
  for (const int64_t page_size : {1, 4})
    for (const std::optional<bool> absorbed : {std::optional<bool>(), {true}, {false}}) {
      SCOPED_TRACE(fmt::format("{} {} page {} absorbed {}", device, name_of(dtype), page_size,
                               absorbed ? int{*absorbed} : -1));
      NotFinite(Case{device, dtype, page_size, absorbed}).run();
      NotFinite(Case{device, dtype, page_size, absorbed}).run_with_weights_mended();
    }
}

TEST(NotFiniteSequence, EndsAlone) {
  run_on("reference", DType::f64);
  run_on("cpu", DType::f32);
}

TEST(NotFiniteSequence, EndsAloneOnAGpu) {
  FATHOM_NEEDS_GPU();
  run_on("cuda", DType::f32);
}

}  // namespace
}  // namespace fathom::testing
