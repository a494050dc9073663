// The oracle of rollouts: one pass of the model as it trains, over a whole sequence and without a cache.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "model/head.h"
#include "ops/dispatch.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom::testing {

struct PlainPass {
  std::vector<std::vector<double>> logits;    // [N] of [V]
  std::vector<std::vector<int32_t>> experts;  // [num_hidden_layers] of [N * K]; none in a dense layer

  // Of the token `id` after the first `n` ones, among the ids below `vocabulary`.
  double log_prob(size_t n, int32_t id, double temperature, int64_t vocabulary) const {
    const double t = temperature == 0 ? 1 : temperature;
    const auto& row = logits.at(n - 1);
    const double best = *std::max_element(row.begin(), row.begin() + vocabulary);
    double sum = 0;
    for (int64_t v = 0; v < vocabulary; ++v) sum += std::exp((row[v] - best) / t);
    return (row[id] - best) / t - std::log(sum);
  }
};

inline HostBatch host_batch_of(const std::vector<int32_t>& tokens) {
  HostBatch host;
  host.tokens = tokens;
  host.sequence_starts = {0, static_cast<int32_t>(tokens.size())};
  for (size_t i = 0; i < tokens.size(); ++i) host.positions.push_back(static_cast<int32_t>(i));
  return host;
}

inline PlainPass plain_pass(Device& device, const Model& m, const std::vector<int32_t>& tokens,
                            const ExpertReplay* replay = nullptr) {
  const HostBatch host = host_batch_of(tokens);
  const auto N = static_cast<int64_t>(tokens.size());
  Arena memory("a plain pass",
               activation_bytes(m.config, m.dtype, Purpose::training, host.size()) +
                   N * (m.config.vocab_size + 64) * 8 + 4096,
               device);
  Batch batch = allocate_batch(memory, host.size());
  upload_batch(device, m.config, host, batch);
  batch.replay = replay;
  Activations a = allocate_activations(m.config, memory, m.dtype, Purpose::training, host.size());
  const Tensor hidden = model_forward(device, m, batch, a);
  const Tensor logits = memory.allocate(stat_of(m.dtype), {N, m.config.vocab_size});
  head_logits(device, m, hidden, logits);

  PlainPass pass;
  Staging staging(device);
  const ConstTensor rows = staging.read(logits);
  for (int64_t n = 0; n < N; ++n) {
    pass.logits.emplace_back();
    for (int64_t v = 0; v < m.config.vocab_size; ++v) pass.logits.back().push_back(element(rows, n, v));
  }
  pass.experts.resize(m.config.num_hidden_layers);
  for (int64_t l = 0; l < m.config.num_hidden_layers; ++l) {
    if (!m.config.is_moe_layer(l)) continue;
    const ConstTensor ids = staging.read(a.layer(l).moe.ids);
    pass.experts[l].assign(ids.as<int32_t>(), ids.as<int32_t>() + ids.count());
  }
  return pass;
}

}  // namespace fathom::testing
