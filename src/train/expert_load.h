// How a step's tokens were spread over the experts and their groups: what the counts of ChoiceCounts say, on
// the host.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace fathom {

// Of L layers with E experts in D groups; rows of dense layers are zero. Choices count before any are
// dropped.
struct ExpertLoad {
  std::vector<int64_t> moe_layers = {};
  int64_t E = 0, D = 0;
  std::vector<int32_t> experts = {};  // [L, E] how often an expert was chosen
  std::vector<int32_t> sent = {};     // [L, D] tokens that chose any expert of a group
  std::vector<int32_t> dropped = {};  // [L] choices that went nowhere; empty: nothing is ever dropped

  std::span<const int32_t> experts_of(int64_t layer) const;  // [E]
  std::span<const int32_t> sent_of(int64_t layer) const;     // [D]
  // [D] how often an expert of a group was chosen.
  std::vector<int64_t> groups_of(int64_t layer) const;

  // The busiest one's choices over the average one's: of a layer, and of the worst layer. 1 is perfect
  // balance, 0 without experts.
  double expert_load(int64_t layer) const;
  double group_load(int64_t layer) const;
  double expert_load() const;
  double group_load() const;
  // The same of tokens sent to groups.
  double sent_load(int64_t layer) const;

  // Share of the choices that were dropped: of a layer, and of all.
  double dropped_share(int64_t layer) const;
  double dropped_share() const;
};

}  // namespace fathom
