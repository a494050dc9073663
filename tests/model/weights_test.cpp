#include "model/weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/small_model.h"

namespace fathom::testing {
namespace {

TEST(Weights, EveryTensorIsAllocatedOnceInTheListedShape) {
  for (const Config& c : {v2_like(), lite_like()}) {
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
  EXPECT_EQ(tied.weights.lm_head.data.data, tied.weights.embed_tokens.data.data);
}

TEST(Weights, InitialisationDependsOnSeedAndNameOnly) {
  const Config c = v2_like();
  Model a = make_model(Device::cpu(1), c, DType::f32), b = make_model(Device::cpu(1), c, DType::f32),
        other = make_model(Device::cpu(1), c, DType::f32);
  initialize_weights(Device::cpu(1), c, a.weights, 5);
  initialize_weights(Device::cpu(4), c, b.weights, 5);
  initialize_weights(Device::cpu(1), c, other.weights, 6);
  EXPECT_EQ(0, std::memcmp(a.memory.data(), b.memory.data(), a.memory.used()));
  EXPECT_NE(0, std::memcmp(a.memory.data(), other.memory.data(), a.memory.used()));

  const Tensor w = a.weights.layers[1].moe.gate_up_proj.data;
  double squares = 0;
  for (int64_t i = 0; i < w.count(); ++i) squares += w.as<float>()[i] * w.as<float>()[i];
  EXPECT_NEAR(std::sqrt(squares / static_cast<double>(w.count())), c.initializer_range, 0.01);
  EXPECT_EQ(a.weights.norm.data.as<float>()[3], 1.0f);
}

}  // namespace
}  // namespace fathom::testing
