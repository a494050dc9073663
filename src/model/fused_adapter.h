// Adapters of routed experts that are one parameter, as PEFT 0.21 stores them: A [E*R, I], expert after
// expert, and B [rows, R*E], whose columns are the ranks, and within a rank the experts. Of gate_up_proj A is
// common to gate and up. Here each of the two gets an A: its half of the ranks where B is block-diagonal, as
// it is where the two were adapted one by one before; else the whole.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "io/checkpoint.h"
#include "model/adapter_config.h"
#include "model/weights.h"

namespace fathom {

// What all names of PEFT's tensors begin with.
constexpr std::string_view peft_prefix = "base_model.model.";

// Where the adapter of one projection lies in the fused one.
struct FusedPart {
  std::string a, b;  // names of the tensors
  std::vector<int64_t> a_shape, b_shape;
  int64_t stored_rank = 0;  // R
  int64_t rank = 0, first_rank = 0, first_row = 0;
};

// By projection ("model.layers.1.mlp.experts.up_proj"). Error naming the tensor whose shape does not fit the
// experts, or that is missing.
std::map<std::string, FusedPart> fused_parts(const CheckpointReader& tensors, const AdapterConfig& settings,
                                             const Config& config);

// Fills A or B [experts, .., ..] in the host's memory, from the tensors of all experts.
void read_fused(const CheckpointReader& tensors, const FusedPart& part, const WeightInfo& info,
                int64_t all_experts, const Tensor& to);

}  // namespace fathom
