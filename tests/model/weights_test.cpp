#include "model/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/needs_gpu.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

TEST(Weights, EveryTensorIsAllocatedOnceInTheListedShape) {
  for (const Config& c : {v2_like(), lite_like(), gqa_like(), llama_like()}) {
    Model m = make_model(Device::cpu(1), c, DType::f32);
    int64_t count = 0;
    for (const NamedWeight& w : list_weights(c, m.weights)) {
      ASSERT_TRUE(static_cast<bool>(w.weight.data)) << w.info.name;
      ASSERT_EQ(w.weight.data.rank, static_cast<int>(w.info.shape.size()));
      count += w.weight.data.count();
    }
    EXPECT_EQ(count, parameter_count(c));
    EXPECT_LE(m.memory.used(), m.memory.size());
  }
  Model tied = make_model(Device::cpu(1), lite_like(), DType::f32);
  EXPECT_EQ(tied.weights.head.data.data, tied.weights.embed_tokens.data.data);
}

TEST(Weights, InitialisationDependsOnSeedAndNameOnly) {
  const Config c = v2_like();
  Model a = make_model(Device::cpu(1), c, DType::f32), b = make_model(Device::cpu(1), c, DType::f32),
        other = make_model(Device::cpu(1), c, DType::f32);
  Device one = Device::cpu(1), four = Device::cpu(4);
  initialize_weights(one, c, a.weights, 5);
  initialize_weights(four, c, b.weights, 5);
  initialize_weights(one, c, other.weights, 6);
  EXPECT_EQ(0, std::memcmp(a.memory.data(), b.memory.data(), a.memory.used()));
  EXPECT_NE(0, std::memcmp(a.memory.data(), other.memory.data(), a.memory.used()));

  const Tensor w = a.weights.layers[1].moe.gate_up_proj.weight.data;
  double squares = 0;
  for (int64_t i = 0; i < w.count(); ++i) squares += w.as<float>()[i] * w.as<float>()[i];
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(w.count())), c.initializer_range, 0.01);
  EXPECT_EQ(a.weights.norm.data.as<float>()[3], 1.0f);
}

TEST(Weights, RoutersStayInTheAccumulatorsType) {
  const Config c = v2_like();
  for (const auto& [dtype, router] : {std::pair(DType::bf16, DType::f32), std::pair(DType::f32, DType::f32),
                                      std::pair(DType::f64, DType::f64)}) {
    const Model m = make_model(Device::cpu(1), c, dtype);
    int64_t routers = 0, bytes = 0;
    for (const NamedWeight& w : list_weights(c, m.weights)) {
      const bool is_router = w.info.name.ends_with("mlp.gate.weight");
      EXPECT_EQ(w.weight.dtype(), is_router ? router : dtype) << w.info.name;
      routers += is_router, bytes += w.weight.data.bytes();
    }
    EXPECT_EQ(routers, c.n_moe_layers());
    EXPECT_EQ(bytes, checkpoint_bytes(c, dtype));
  }
}

Config biased() {
  Config c = v2_like();
  c.topk_method = TopkMethod::noaux_tc;
  return c;
}

// A choice bias is a weight of its own, in f32 and zero at the start, that has no gradient.
TEST(Weights, ChoiceBiasesAreStoredAndNotTrained) {
  const Config c = biased();
  const Model m = random_model(c, DType::bf16);
  Arena memory("gradients", weight_bytes(c, gradient_types(DType::bf16)));
  const WeightGradients grads(c, memory, DType::bf16);
  int64_t biases = 0;
  const std::vector<NamedWeight> weights = list_weights(c, m.weights),
                                 gradients = list_weights(c, grads.weights);
  for (size_t i = 0; i < weights.size(); ++i) {
    const Tensor& w = weights[i].weight.data;
    const bool is_bias = weights[i].info.name.ends_with("mlp.gate.e_score_correction_bias");
    EXPECT_EQ(static_cast<bool>(gradients[i].weight), !is_bias) << weights[i].info.name;
    if (!is_bias) continue;
    ++biases;
    EXPECT_EQ(w.shape_text(), "[8] f32");
    for (int64_t e = 0; e < 8; ++e) EXPECT_EQ(w.as<float>()[e], 0);
  }
  EXPECT_EQ(biases, c.n_moe_layers());
  EXPECT_EQ(weight_bytes(v2_like(), gradient_types(DType::bf16)),
            weight_bytes(c, gradient_types(DType::bf16)));
}

// A router's values are those of an f32 model of the same seed: nothing was rounded on the way.
TEST(Weights, RoutersStartUnrounded) {
  const Model f32 = random_model(v2_like(), DType::f32), bf16 = random_model(v2_like(), DType::bf16);
  const Tensor a = f32.weights.layers[2].moe.gate.data, b = bf16.weights.layers[2].moe.gate.data;
  EXPECT_EQ(0, std::memcmp(a.data, b.data, static_cast<size_t>(a.bytes())));
}

// A config that was not read from a file is not checked before: what its fields ask for together cannot be
// counted.
TEST(Weights, SizesThatOverflowAreAnErrorThatNamesTheFields) {
  Config c = v2_like();
  c.n_routed_experts = 65536, c.moe_intermediate_size = 1 << 24, c.hidden_size = 1 << 24;
  for (const std::string& error :
       {error_of([&] { parameter_count(c); }), error_of([&] { weight_bytes(c, DType::bf16); }),
        error_of([&] { checkpoint_bytes(c, DType::bf16); }),
        error_of([&] { make_model(Device::cpu(1), c, DType::bf16); })})
    for (const char* part : {"experts.gate_up_proj", "hidden_size is 16777216", "n_routed_experts 65536"})
      EXPECT_NE(error.find(part), std::string::npos) << error;

  c = v2_like();
  c.num_hidden_layers = 4096, c.n_routed_experts = 4096, c.moe_intermediate_size = c.hidden_size = 1 << 20;
  EXPECT_NE(error_of([&] { parameter_count(c); }).find("the model has more than 2^59 elements"),
            std::string::npos);
}

TEST(Weights, CudaInitialisationHasTheSameBits) {
  FATHOM_NEEDS_GPU();
  Device cpu = Device::cpu(2), gpu = Device::cuda();
  const Config c = v2_like();
  Model a = make_model(cpu, c, DType::bf16), b = make_model(gpu, c, DType::bf16);
  initialize_weights(cpu, c, a.weights, 5);
  initialize_weights(gpu, c, b.weights, 5);
  Arena copy("copy", b.memory.size());
  const Weights same_layout = allocate_weights(c, copy, DType::bf16);
  download_arena_later(gpu, copy, b.memory);
  synchronize(gpu);
  EXPECT_EQ(0, std::memcmp(a.memory.data(), copy.data(), a.memory.used()));
}

// The largest that is let through: its counts are right to the last digit.
TEST(Weights, CountsOfTheLargestModelsDoNotOverflow) {
  Config c = testing::v2_like();
  c.num_hidden_layers = 64, c.hidden_size = 1 << 20, c.n_routed_experts = 8192;
  c.moe_intermediate_size = 1 << 15, c.first_k_dense_replace = 0;
  check_config(c, "c");
  const int64_t experts = int64_t{64} * 8192 * 3 * (int64_t{1} << 35);
  EXPECT_GT(parameter_count(c), experts);
  EXPECT_LT(static_cast<double>(parameter_count(c)), 1.001 * static_cast<double>(experts));
  EXPECT_GT(weight_bytes(c, DType::f64), 8 * experts);
}

}  // namespace
}  // namespace fathom::testing
