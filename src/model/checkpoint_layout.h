// How the weights of a model stand in a Hugging Face checkpoint: under which names, in which shapes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/safetensors_layout.h"
#include "model/weights.h"

namespace fathom {

// Rows of one of our weights, of one of its experts where it has several, that stand together in a tensor of
// a checkpoint: `rows` of them from first_row on are that tensor's from stored_row on.
struct StoredPart {
  std::string name;
  std::vector<int64_t> shape;  // of the whole tensor of the checkpoint
  int64_t rows = 0;
  int64_t expert = -1, first_row = 0, stored_row = 0;

  // Elements of a row.
  int64_t columns() const { return shape.size() == 1 ? 1 : shape.back(); }
};

// The parts of a weight: one; two where gate_proj and up_proj are one matrix of ours, for every expert apart;
// two for every head where k_proj and v_proj are. Newer transformers saves all experts as one tensor of the
// weight's own name and shape instead. Adapters have PEFT's names (adapter_folder.h).
std::vector<StoredPart> stored_parts(const WeightInfo& weight);

// What a checkpoint of the whole model has, in its order: of every weight in the type that `types` says.
std::vector<StoredTensor> stored_tensors(const Config& config, const StorageTypes& types);
std::vector<StoredTensor> stored_tensors(const Config& config, DType dtype);

// Buffers that old checkpoints carry and that follow from the config; and the head of a tied model, stored
// twice.
bool is_derived(const Config& config, const std::string& name);

}  // namespace fathom
