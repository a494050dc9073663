// What a model's layers are compared with one by one: a golden file's hidden states, or those of fathom's own
// f32 run of the same stored weights on the CPU, which `fathom verify --dtype f32` compares with the file.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/verify_inputs.h"
#include "model/verify_routing.h"

namespace fathom {

// A model of L layers has 2L + 1 states of the residual stream: before layer 0 (the embedding), after its
// attention, after its MLP, ... and one more, the final norm of the last.
struct LayerReference {
  RoutingTable experts;
  std::vector<ConstTensor> states;  // [2L+2] of [N, C]; absent where the reference has none
  std::vector<ConstTensor> grads;   // [2L+1] of [N, C], of the mean next-token loss; empty when not asked for
  Arena memory;                     // of an own run; what a file holds stays there
  bool own_run = false;
};

// hidden.0, middle.0, hidden.1, middle.1, ... hidden.norm
std::string state_key(const Config& config, int64_t state);
// hidden_grad.0, middle_grad.0, ...
std::string grad_key(int64_t state);
std::string experts_key(int64_t layer);
// The state as a run in training's form keeps it.
const Tensor& state_of(const Config& config, Activations& a, int64_t state);

// The keys that a comparison layer by layer reads and this file does not have.
std::vector<std::string> missing_layer_keys(const Config& config, const SafetensorsFile& golden,
                                            bool with_grads);
// What the file has of them.
LayerReference read_layers(const Config& config, const SafetensorsFile& golden, const VerifyInputs& inputs,
                           bool with_grads);

// What `layers` lacks, taken from another reference; where it has experts of some layers it has them of all.
void fill_up(LayerReference& layers, LayerReference other);

class OwnReference {
 public:
  // `load` makes the f32 model in the host's memory; it is called when a run is first asked for.
  explicit OwnReference(std::function<Model()> load) : load_(std::move(load)) {}

  LayerReference layers(const VerifyInputs& inputs, bool with_grads);

  struct Tokens {
    RoutingTable experts;
    Arena memory;
    Tensor logits;  // [tokens - first, V] f32
  };
  // For one sequence; logits from position `first` on.
  Tokens tokens(const std::vector<int32_t>& ids, int64_t first);

 private:
  const Model& model();

  std::function<Model()> load_;
  std::optional<Model> model_;
};

}  // namespace fathom
