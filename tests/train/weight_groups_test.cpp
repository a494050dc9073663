// Whatever the plan, the slices that its ranks own are every stored tensor once.
#include "train/weight_groups.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "model/checkpoint_layout.h"
#include "support/small_model.h"
#include "train/not_finite.h"
#include "train/stored_slices.h"
#include "train/training_memory.h"

namespace fathom {
namespace {

using namespace testing;

int64_t count_of(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// What a rank owns, as views without memory.
std::vector<SliceToRead> owned_slices(const WeightGroups& groups) {
  std::vector<SliceToRead> slices;
  for (const WeightPiece& piece : groups.owned())
    append_stored_slices(slices, "", groups.weights[piece.weight].info, piece.first,
                         Tensor(nullptr, DType::f32, {piece.count}));
  return slices;
}

void expect_every_element_once(const Config& c, const ParallelPlan& plan, DType dtype) {
  std::map<std::string, std::vector<int>> owners;
  for (const NamedWeight& w : list_weights(c, {}))
    for (const StoredPart& part : stored_parts(w.info)) owners[part.name].resize(count_of(part.shape));
  for (int rank = 0; rank < plan.ranks; ++rank)
    for (const SliceToRead& slice : owned_slices(group_weights(c, dtype, plan, rank))) {
      ASSERT_TRUE(owners.contains(slice.name)) << slice.name;
      std::vector<int>& of = owners[slice.name];
      ASSERT_LE(slice.first + slice.values.count(), static_cast<int64_t>(of.size())) << slice.name;
      for (int64_t i = 0; i < slice.values.count(); ++i) ++of[slice.first + i];
    }
  for (const auto& [name, of] : owners)
    for (const int n : of) ASSERT_EQ(n, 1) << name << ", a plan of " << plan.ranks << " ranks";
}

TEST(WeightGroups, OfAllRanksAreEveryStoredTensorOnce) {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Config& c : {v2_like(), lite_like(), gqa_like()})
      for (const auto& [ranks, experts] : {std::pair(1, 1), {2, 1}, {3, 1}, {7, 1}, {4, 2}, {8, 8}, {6, 2}})
        expect_every_element_once(c, parallel_plan(c, ranks, 1, experts), dtype);
    const Config c = v2_like();
    for (const auto& [ranks, stages, experts] : {std::tuple(2, 2, 1), {6, 3, 2}, {8, 2, 2}})
      expect_every_element_once(c, parallel_plan(c, ranks, stages, experts), dtype);
  }
}

TEST(WeightGroups, OfAProcessAloneAreItsWeightsAndNothingMore) {
  Config c = v2_like();
  c.hidden_size = 32, c.moe_intermediate_size = 32, c.q_lora_rank = c.kv_lora_rank = 32;
  c.intermediate_size = 32, c.vocab_size = 64, c.qk_rope_head_dim = 32;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const WeightGroups groups = group_weights(c, dtype);
    EXPECT_EQ(group_bytes(groups), weight_bytes(c, dtype));
    const std::vector<WeightPiece> owned = groups.owned(), whole = whole_weights(c);
    ASSERT_EQ(owned.size(), whole.size());
    for (size_t i = 0; i < owned.size(); ++i) {
      EXPECT_EQ(owned[i].weight, whole[i].weight);
      EXPECT_EQ(owned[i].first, 0);
      EXPECT_EQ(owned[i].count, whole[i].count);
    }
  }
}

// Each rank's slice has as much of every layer as the others': none waits long for another.
TEST(WeightGroups, AreDividedEvenly) {
  const Config c = v2_like();
  const ParallelPlan plan = parallel_plan(c, 4, 1, 2);
  for (int rank = 0; rank < 4; ++rank) {
    const WeightGroups groups = group_weights(c, DType::bf16, plan, rank);
    for (const WeightGroup& group : groups.groups) {
      EXPECT_EQ(group.elements % groups.share_of(group).ranks, 0);
      EXPECT_EQ(groups.share_of(group).ranks, group.routed ? 2 : 4);
    }
  }
}

TEST(WeightGroups, LieWhereTheWeightsAre) {
  const Config c = v2_like();
  const WeightGroups groups = group_weights(c, DType::bf16, parallel_plan(c, 3, 1, 1), 1);
  Arena arena("test", group_bytes(groups));
  const WeightMemory memory = allocate_groups(c, arena, groups);
  EXPECT_EQ(arena.used(), arena.size());
  const std::vector<NamedWeight> weights = list_weights(c, memory.weights);
  for (size_t i = 0; i < weights.size(); ++i) {
    const GroupedWeight& w = groups.weights[i];
    const Tensor& data = weights[i].weight.data;
    EXPECT_EQ(data.dtype, storage_type(w.info, DType::bf16));
    EXPECT_EQ(data.count(), w.count);
    EXPECT_EQ(data.data, memory.groups[w.group].slice(w.first, w.count).data) << w.info.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(data.data) % 64, 0u) << w.info.name;
  }
}

// In what a rank has made itself of gradients that were reduced, which is all but its slices.
TEST(WeightGroups, NumbersThatAreNotFiniteAreFound) {
  const Config c = v2_like();
  const Device device = Device::cpu(1);
  for (const DType dtype : {DType::f32, DType::bf16}) {
    const WeightGroups groups = group_weights(c, dtype, parallel_plan(c, 2, 1, 1), 1);
    Arena arena("test", group_bytes(groups));
    const WeightMemory memory = allocate_groups(c, arena, groups);
    const auto found = [&](bool but_own) { return first_not_finite(device, groups, memory.groups, but_own); };
    EXPECT_EQ(found(false), "");
    for (const GroupedWeight& w : groups.weights) {
      const Tensor x = memory.groups[w.group].slice(w.first, w.count);
      const int64_t half = memory.groups[w.group].count() / 2;  // where this rank's slice begins
      const auto set = [&](int64_t i, float value) {
        x.dtype == DType::bf16 ? void(x.as<bf16>()[i] = bf16(value)) : void(x.as<float>()[i] = value);
      };
      for (const int64_t i : {int64_t{0}, w.count - 1}) {
        set(i, std::numeric_limits<float>::infinity());
        EXPECT_EQ(found(false), w.info.name);
        EXPECT_EQ(found(true), w.first + i < half ? w.info.name : "");
        set(i, 0);
      }
    }
  }
}

}  // namespace
}  // namespace fathom
