// Routing replay, as the host has it: the experts that a run of the model chose (the engine in a rollout, a
// golden file), made ready for another run (ExpertReplay, model/batch.h), and how far that run's router would
// have chosen otherwise.
#pragma once
#include <cstdint>
#include <vector>

#include "model/batch.h"
#include "model/part.h"

namespace fathom {

// Of consecutive tokens: [tokens, MoE layers, K], a choice's experts in the router's order.
struct ChosenExperts {
  int64_t layers = 0, k = 0;
  std::vector<uint16_t> ids;

  int64_t tokens() const { return ids.empty() ? 0 : static_cast<int64_t>(ids.size()) / (layers * k); }
};

// [num_hidden_layers] of R*K expert ids; a dense layer has none.
using RoutingTable = std::vector<std::vector<int32_t>>;

struct HostReplay {
  RoutingTable given;
  std::vector<int32_t> rows;  // [N], as ExpertReplay::rows; empty: each token takes the row of its position
  bool keep_choice = false;   // in ExpertReplay::chosen; with rows only

  // The next tokens of a batch take these experts, or the router's own choice. Error when they are not this
  // model's.
  void append(const Config& config, const ChosenExperts& experts);
  void append_own_choice(int64_t tokens) { rows.insert(rows.end(), static_cast<size_t>(tokens), -1); }
};

// The replay in the device's memory. It takes at most replay_bytes for R rows of `given` and N tokens (0
// without rows).
ExpertReplay allocate_replay(const Device& device, const Config& config, Arena& memory,
                             const HostReplay& host);
int64_t replay_bytes(const Config& config, int64_t rows, int64_t tokens);

struct ReplayedChoices {
  int64_t choices = 0;    // of the tokens whose experts were given: K per token and layer
  int64_t differing = 0;  // of them, experts that the router of this run would not have chosen
};

// After a forward pass of these layers that kept the router's choice.
ReplayedChoices compare_choices(const Device& device, const ExpertReplay& replay, const HostReplay& host,
                                const ModelPart& part = {});

}  // namespace fathom
