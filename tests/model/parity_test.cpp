// One mathematics, several routes: with and without the cache, absorbed and expanded, whole and in pieces,
// paged in any way give the same hidden states. Unused cache slots hold NaN and unused table entries
// impossible pages.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "support/paths.h"
#include "support/small_model.h"
#include "tensor/compare.h"

namespace fathom::testing {
namespace {

// Feeds sequences through a cached model piece by piece and keeps every hidden state.
class CachedRun {
 public:
  // Keys and values are expanded for at most most_keys at a time, or for the tokens of a piece if they are
  // more.
  CachedRun(const Model& model, Device& device, int page_size, int sequences, int max_length,
            int64_t most_keys = 1 << 20)
      : model_(model),
        device_(device),
        page_size_(page_size),
        max_pages_((max_length + page_size - 1) / page_size),
        most_keys_(most_keys) {
    const int pages = sequences * max_pages_ + 3;
    Arena plan;
    allocate_cache(model.config, plan, model.dtype, pages, page_size);
    memory_ = Arena("cache", plan.used());
    cache_ = allocate_cache(model.config, memory_, model.dtype, pages, page_size);
    for (const Tensor& p : cache_.pages) std::fill_n(p.as<double>(), p.count(), NAN);
    lengths_.assign(sequences, 0);
    table_.assign(static_cast<size_t>(sequences) * max_pages_, 1'000'000);
    free_.resize(pages);
    std::iota(free_.begin(), free_.end(), 0);
    std::reverse(free_.begin() + 1, free_.end() - 1);  // pages in no simple order
  }

  // Appends tokens[i] to sequence i for all sequences at once; returns the hidden states of the new tokens.
  std::vector<double> append(const std::vector<std::vector<int32_t>>& tokens, bool absorbed) {
    std::vector<int32_t> ids, positions, starts = {0}, sequence, new_tokens;
    for (size_t b = 0; b < tokens.size(); ++b) {
      for (int32_t id : tokens[b]) {
        if (lengths_[b] % page_size_ == 0) {
          table_[b * max_pages_ + lengths_[b] / page_size_] = free_.back();
          free_.pop_back();
        }
        ids.push_back(id), positions.push_back(lengths_[b]++), sequence.push_back(static_cast<int32_t>(b));
      }
      starts.push_back(static_cast<int32_t>(ids.size()));
      new_tokens.push_back(static_cast<int32_t>(tokens[b].size()));
    }
    const auto N = static_cast<int64_t>(ids.size()), B = static_cast<int64_t>(tokens.size());
    Batch batch;
    batch.tokens = Tensor(ids.data(), DType::i32, {N});
    batch.positions = Tensor(positions.data(), DType::i32, {N});
    batch.sequence_starts = Tensor(starts.data(), DType::i32, {B + 1});
    batch.cache = &cache_;
    batch.block_table = Tensor(table_.data(), DType::i32, {B, max_pages_});
    batch.sequence = Tensor(sequence.data(), DType::i32, {N});
    std::vector<HostKeyChunk> chunks;
    if (!absorbed) chunks = cut_keys(new_tokens, lengths_, std::max(most_keys_, N));
    BatchSize size{N, B, 0, static_cast<int64_t>(chunks.size())};
    for (HostKeyChunk& c : chunks) {
      batch.chunks.push_back({Tensor(c.first.data(), DType::i32, {B}),
                              Tensor(c.starts.data(), DType::i32, {B + 1}),
                              Tensor(c.queries.data(), DType::i32, {B + 1}), c.starts.back()});
      size.keys = std::max<int64_t>(size.keys, c.starts.back());
    }
    Arena memory("activations", activation_bytes(model_.config, model_.dtype, Purpose::serving, size));
    Activations a = allocate_activations(model_.config, memory, model_.dtype, Purpose::serving, size);
    const Tensor hidden = model_forward(device_, model_, batch, a);
    return {hidden.as<double>(), hidden.as<double>() + hidden.count()};
  }

 private:
  const Model& model_;
  Device& device_;
  int page_size_, max_pages_;
  int64_t most_keys_;
  Arena memory_;
  LatentCache cache_;
  std::vector<int32_t> lengths_, table_, free_;
};

std::vector<double> without_cache(const Model& model, Device& device, const RandomBatch& batch) {
  Arena memory("activations", activation_bytes(model.config, model.dtype, Purpose::serving, batch.size()));
  Activations a = allocate_activations(model.config, memory, model.dtype, Purpose::serving, batch.size());
  const Tensor hidden = model_forward(device, model, batch.batch, a);
  return {hidden.as<double>(), hidden.as<double>() + hidden.count()};
}

void expect_same(const std::vector<double>& got, const std::vector<double>& want, const char* what) {
  ASSERT_EQ(got.size(), want.size());
  const ConstTensor g(got.data(), DType::f64, {static_cast<int64_t>(got.size())});
  const ConstTensor w(want.data(), DType::f64, {static_cast<int64_t>(want.size())});
  EXPECT_LE(relative_error(g, w), 1e-12) << what;
}

std::vector<int32_t> tokens_of(const RandomBatch& b, int64_t begin, int64_t n) {
  const int32_t* t = b.batch.tokens.as<int32_t>();
  return {t + begin, t + begin + n};
}

TEST(Parity, CachedRoutesGiveTheUncachedStates) {
  Device device = Device::reference();
  for (const Config& config :
       {v2_like(), lite_like(), gqa_like(), llama_like(), with_lora(v2_like()), with_lora(gqa_like())}) {
    const Model model = random_model(config, DType::f64);
    const int length = 23;
    const RandomBatch batch(config, {length});
    const std::vector<double> whole = without_cache(model, device, batch);
    for (int page : {1, 3, 16})
      for (bool absorbed : {false, true})
        for (int piece : {1, 4, length}) {
          CachedRun run(model, device, page, 1, length);
          std::vector<double> states;
          for (int at = 0; at < length; at += piece) {
            const auto part = run.append({tokens_of(batch, at, std::min(piece, length - at))}, absorbed);
            states.insert(states.end(), part.begin(), part.end());
          }
          expect_same(states, whole, absorbed ? "absorbed" : "expanded");
        }
  }
}

TEST(Parity, SoDoTheyAtTheHeadSizesOfRealModels) {
  Device device = Device::reference();
  const Config config = real_heads();
  const Model model = random_model(config, DType::f64);
  const int length = 19;
  const RandomBatch batch(config, {length});
  const std::vector<double> whole = without_cache(model, device, batch);
  for (bool absorbed : {false, true})
    for (int piece : {1, length}) {
      CachedRun run(model, device, 16, 1, length);
      std::vector<double> states;
      for (int at = 0; at < length; at += piece) {
        const auto part = run.append({tokens_of(batch, at, piece)}, absorbed);
        states.insert(states.end(), part.begin(), part.end());
      }
      expect_same(states, whole, absorbed ? "absorbed" : "expanded");
    }
}

TEST(Parity, KeysInChunksGiveTheSameStates) {
  Device device = Device::reference();
  for (const Config& config : {v2_like(), lite_like(), gqa_like(), llama_like()}) {
    const Model model = random_model(config, DType::f64);
    const RandomBatch batch(config, {41, 9});
    const std::vector<double> whole = without_cache(model, device, batch);
    for (int64_t most : {1, 7, 16, 49, 50})
      for (int piece : {1, 4, 40}) {
        CachedRun run(model, device, 3, 2, 41, most);
        std::vector<double> long_one, short_one;
        for (int at = 0; at < 41; at += piece) {
          const int64_t n = std::min(piece, 41 - at), few = std::clamp(9 - at, 0, piece);
          const auto states =
              run.append({tokens_of(batch, at, n), tokens_of(batch, 41 + std::min(at, 9), few)}, false);
          const auto border = states.begin() + n * config.hidden_size;
          long_one.insert(long_one.end(), states.begin(), border);
          short_one.insert(short_one.end(), border, states.end());
        }
        long_one.insert(long_one.end(), short_one.begin(), short_one.end());
        expect_same(long_one, whole, "in chunks");
      }
  }
}

TEST(Parity, AlternatingRoutesShareOneCache) {
  Device device = Device::reference();
  const Config config = v2_like();
  const Model model = random_model(config, DType::f64);
  const RandomBatch batch(config, {20});
  CachedRun run(model, device, 3, 1, 20);
  std::vector<double> states;
  bool absorbed = false;
  for (int at = 0; at < 20; at += 5, absorbed = !absorbed) {
    const auto part = run.append({tokens_of(batch, at, 5)}, absorbed);
    states.insert(states.end(), part.begin(), part.end());
  }
  expect_same(states, without_cache(model, device, batch), "alternating");
}

TEST(Parity, ManySequencesAtOnceAsOneByOne) {
  Device device = Device::reference();
  const Config config = v2_like();
  const Model model = random_model(config, DType::f64);
  const RandomBatch together(config, {9, 9, 9});
  const std::vector<double> packed = without_cache(model, device, together);
  for (bool absorbed : {false, true}) {
    CachedRun run(model, device, 4, 3, 9);
    run.append({tokens_of(together, 0, 8), tokens_of(together, 9, 8), tokens_of(together, 18, 8)}, absorbed);
    const auto last = run.append(
        {tokens_of(together, 8, 1), tokens_of(together, 17, 1), tokens_of(together, 26, 1)}, absorbed);
    const int64_t C = config.hidden_size;
    for (int b = 0; b < 3; ++b)
      expect_same({last.begin() + b * C, last.begin() + (b + 1) * C},
                  {packed.begin() + (9 * b + 8) * C, packed.begin() + (9 * b + 9) * C}, "sequence");
  }
}

TEST(Parity, BadTokensAndPositionsAreRefused) {
  Device device = Device::reference();
  Config config = v2_like();
  const Model model = random_model(config, DType::f64);
  RandomBatch batch(config, {4});
  batch.batch.tokens.as<int32_t>()[2] = static_cast<int32_t>(config.vocab_size);
  EXPECT_THROW(without_cache(model, device, batch), Error);
  batch.batch.tokens.as<int32_t>()[2] = 0;
  batch.batch.positions.as<int32_t>()[3] = static_cast<int32_t>(config.max_position_embeddings);
  EXPECT_THROW(without_cache(model, device, batch), Error);
}

TEST(Parity, AbsorbedIsChosenForDecodingAndExpandedForPrefill) {
  const Config v2 = read_config(testing::source_dir() + "/configs/deepseek-v2.json");
  const auto absorbed = [&](int64_t n, int64_t length, int64_t shared = 0) {
    return absorbed_is_cheaper(v2, n, length, shared);
  };
  EXPECT_TRUE(absorbed(1, 1000));
  EXPECT_FALSE(absorbed(1000, 1000));
  // The crossover is near 171 queries per expanded key when the prefix is long.
  EXPECT_TRUE(absorbed(150, 100'000));
  EXPECT_FALSE(absorbed(190, 100'000));
  // A prefix that others expand too costs nothing.
  EXPECT_TRUE(absorbed(100, 600));
  EXPECT_FALSE(absorbed(100, 600, 500));
  const int64_t most = most_absorbed_tokens(v2);
  EXPECT_TRUE(absorbed(most, 100'000'000));
  for (int64_t length = most + 1; length < 100'000'000; length += length / 3)
    EXPECT_FALSE(absorbed(most + 1, length));
}

}  // namespace
}  // namespace fathom::testing
