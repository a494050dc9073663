// The experts of a reference run: read from a golden file, to be replayed in our own run, and compared with
// what our router chose.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/expert_replay.h"

namespace fathom {

// The tensors PREFIX.I [..., K] of a golden file, I being an MoE layer, for `rows` tokens; nothing when the
// file has none of them. An Error when it has some but not all, or ids that are not K different experts.
std::optional<RoutingTable> read_routing(const SafetensorsFile& golden, const Config& config,
                                         const std::string& prefix, int64_t rows);

// How far our router is from the reference's choice in one layer: 0 when it chose the same experts for every
// token. Else the largest distance, in log scores, by which an expert or a group that was left out is ahead
// of one that was taken, over the tokens that differ; in units of the scores' spread (the root mean square of
// log scores around their token's mean). A near tie gives a small number, another choice a large one.
double routing_error(const Config& config, const ConstTensor& scores /* [N, E] */,
                     const ConstTensor& bias /* [E] with noaux_tc, else absent */,
                     const ConstTensor& chosen /* [N, K] i32 */, const std::vector<int32_t>& given);

}  // namespace fathom
