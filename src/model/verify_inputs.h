// The tokens of a golden file, as a batch with targets and the loss that its `loss` and `grad.*` are of.
#pragma once
#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "io/safetensors.h"
#include "model/head.h"

namespace fathom {

struct VerifyInputs {
  int64_t B = 0, T = 0;
  HostBatch batch;
  std::vector<int32_t> targets;  // [B*T], the next token; CrossEntropy::ignore for the last of a sequence

  int64_t tokens() const { return B * T; }
  int64_t counted() const { return B * std::max<int64_t>(T - 1, 1); }  // tokens with a target
};

// From `input_ids` [B, T]; an Error when the file has none.
VerifyInputs read_inputs(const SafetensorsFile& golden);

// A tensor of the file for these tokens as rows [B*T, cols]; absent when the file has none of this name.
ConstTensor golden_rows(const SafetensorsFile& golden, const std::string& name, const VerifyInputs& inputs,
                        int64_t cols);

// The mean cross-entropy of the next tokens, as the callback of model/head.h. Each token's loss goes to
// `losses`; `look` sees each chunk of logits before their gradient takes their place.
class NextTokenLoss {
 public:
  NextTokenLoss(Device& device, const VerifyInputs& inputs, Arena& memory, DType stat);

  LossFunction function(std::function<void(int64_t first, const Tensor& logits)> look = {});
  const Tensor& losses() const { return losses_; }

 private:
  Device& device_;
  double scale_;
  Tensor losses_;   // [N] stat
  Tensor targets_;  // [N] i32
};
// Bytes of the arena it takes.
int64_t next_token_loss_bytes(int64_t tokens);

}  // namespace fathom
