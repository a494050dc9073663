#include "model/slow_paths.h"

#include <gmock/gmock.h>

#include "support/paths.h"

namespace fathom::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Config deepseek_v2() {
  return read_config(source_dir() + "/configs/deepseek-v2.json");
}

TEST(SlowPaths, TheModelsHaveNone) {
  for (const char* name : {"deepseek-v2", "deepseek-v2-lite"})
    EXPECT_THAT(slow_paths(read_config(source_dir() + "/configs/" + name + ".json"), DType::bf16), IsEmpty())
        << name;
}

TEST(SlowPaths, NameTheSizesAndTheCost) {
  Config c = deepseek_v2();
  c.v_head_dim = 160;
  EXPECT_THAT(slow_paths(c, DType::bf16),
              ElementsAre(AllOf(HasSubstr("heads of 192"), HasSubstr("160 (v_head_dim)"),
                                HasSubstr("a few percent"), HasSubstr("192/128"), HasSubstr("128/128"))));
  EXPECT_THAT(slow_paths(c, DType::f32), IsEmpty());
  c = deepseek_v2();
  c.qk_nope_head_dim = 64;  // with the rotary part the heads of grouped-query attention
  EXPECT_THAT(slow_paths(c, DType::bf16), IsEmpty());
  c.kv_lora_rank = 256;
  EXPECT_THAT(slow_paths(c, DType::bf16),
              ElementsAre(AllOf(HasSubstr("kv_lora_rank 256"), HasSubstr("decoding"))));
  c.kv_lora_rank = 500;
  EXPECT_THAT(slow_paths(c, DType::bf16), ElementsAre(HasSubstr("prefill"), HasSubstr("decoding")));
  c = deepseek_v2();
  c.moe_intermediate_size = 1407;
  EXPECT_THAT(slow_paths(c, DType::bf16), ElementsAre(HasSubstr("moe_intermediate_size 1407")));
  c = deepseek_v2();
  c.n_routed_experts = 63;
  EXPECT_THAT(slow_paths(c, DType::bf16), ElementsAre(HasSubstr("n_routed_experts 63")));
  c = deepseek_v2();
  c.hidden_size = 5122;
  EXPECT_THAT(slow_paths(c, DType::bf16),
              ElementsAre(HasSubstr("experts' matrix products"), HasSubstr("norms")));
}

TEST(SlowPaths, OfGroupedQueryAttention) {
  Config c = deepseek_v2();
  c.num_key_value_heads = 8;
  c.kv_lora_rank = c.q_lora_rank = c.qk_nope_head_dim = 0;
  for (const int64_t head : {128, 64, 32}) {
    c.qk_rope_head_dim = c.v_head_dim = head;
    EXPECT_THAT(slow_paths(c, DType::bf16), IsEmpty()) << head;
  }
  c.qk_rope_head_dim = c.v_head_dim = 80;
  EXPECT_THAT(slow_paths(c, DType::bf16),
              ElementsAre(AllOf(HasSubstr("heads of 80 (head_dim)"), HasSubstr("128/128, 64/64, 32/32"))));
}

}  // namespace
}  // namespace fathom::testing
