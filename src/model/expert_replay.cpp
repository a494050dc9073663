#include "model/expert_replay.h"

#include <algorithm>

#include "base/error.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

int64_t differing_experts(const int32_t* given, const int32_t* chosen, int64_t K) {
  return std::count_if(given, given + K,
                       [&](int32_t id) { return std::find(chosen, chosen + K, id) == chosen + K; });
}

}  // namespace

void HostReplay::append(const Config& c, const ChosenExperts& experts) {
  const int64_t tokens = experts.tokens(), K = c.num_experts_per_tok;
  check(tokens == 0 || (experts.layers == c.n_moe_layers() && experts.k == K),
        "{} experts in each of {} layers are to be replayed in a model with {} in each of {}", experts.k,
        experts.layers, K, c.n_moe_layers());
  for (const uint16_t id : experts.ids)
    check(id < c.n_routed_experts, "expert {} is to be replayed in a model with {}", id, c.n_routed_experts);
  given.resize(static_cast<size_t>(c.num_hidden_layers));
  int64_t first_row = 0, of_layer = 0;  // a layer's place among the MoE layers
  for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
    if (!c.is_moe_layer(l)) continue;
    std::vector<int32_t>& to = given[static_cast<size_t>(l)];
    first_row = static_cast<int64_t>(to.size()) / K;
    for (int64_t t = 0; t < tokens; ++t) {
      const uint16_t* ids = experts.ids.data() + (t * experts.layers + of_layer) * K;
      to.insert(to.end(), ids, ids + K);
    }
    ++of_layer;
  }
  for (int64_t t = 0; t < tokens; ++t) rows.push_back(static_cast<int32_t>(first_row + t));
}

ExpertReplay allocate_replay(const Device& device, const Config& c, Arena& memory, const HostReplay& host) {
  assert(!host.keep_choice || !host.rows.empty());
  ExpertReplay replay;
  const auto layers = static_cast<size_t>(c.num_hidden_layers);
  const auto N = static_cast<int64_t>(host.rows.size()), K = c.num_experts_per_tok;
  if (N > 0) {
    replay.rows = memory.allocate(DType::i32, {N});
    upload(device, replay.rows, ConstTensor(host.rows.data(), DType::i32, {N}));
  }
  replay.given.resize(layers);
  if (host.keep_choice) replay.chosen.resize(layers);
  for (size_t i = 0; i < layers; ++i) {
    if (!c.is_moe_layer(static_cast<int64_t>(i))) continue;
    // Where no token is given any, there is a row that nobody takes.
    const bool none = i >= host.given.size() || host.given[i].empty();
    const int64_t R = none ? 1 : static_cast<int64_t>(host.given[i].size()) / K;
    replay.given[i] = memory.allocate(DType::i32, {R, K});
    if (!none) upload(device, replay.given[i], ConstTensor(host.given[i].data(), DType::i32, {R, K}));
    if (host.keep_choice) replay.chosen[i] = memory.allocate(DType::i32, {N, K});
  }
  return replay;
}

int64_t replay_bytes(const Config& c, int64_t rows, int64_t tokens) {
  constexpr int64_t alignment = 64;
  const int64_t ids =
      (std::max<int64_t>(rows, 1) + tokens) * c.num_experts_per_tok * size_of(DType::i32) + 2 * alignment;
  return c.n_moe_layers() * ids + tokens * size_of(DType::i32) + alignment;
}

ReplayedChoices compare_choices(const Device& device, const ExpertReplay& replay, const HostReplay& host,
                                const ModelPart& part) {
  assert(!replay.chosen.empty());
  ReplayedChoices result;
  Staging staging(device);
  for (size_t layer = 0; layer < replay.chosen.size(); ++layer) {
    if (!replay.chosen[layer] || !part.has_layer(static_cast<int64_t>(layer))) continue;
    const ConstTensor chosen = staging.read(replay.chosen[layer]);
    const int64_t K = chosen.cols();
    for (size_t n = 0; n < host.rows.size(); ++n) {
      if (host.rows[n] < 0) continue;
      result.choices += K;
      result.differing += differing_experts(host.given[layer].data() + host.rows[n] * K,
                                            chosen.row<int32_t>(static_cast<int64_t>(n)), K);
    }
  }
  return result;
}

}  // namespace fathom
