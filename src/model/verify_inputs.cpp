#include "model/verify_inputs.h"

#include <utility>

#include "base/error.h"
#include "ops/cross_entropy.h"
#include "tensor/dim.h"
#include "tensor/memory.h"

namespace fathom {

VerifyInputs read_inputs(const SafetensorsFile& golden) {
  const SafetensorsEntry* entry = golden.entry("input_ids");
  check(entry && entry->shape.size() == 2, "{}: expected 'input_ids' [B, T]", golden.path());
  VerifyInputs in{entry->shape[0], entry->shape[1], {}, {}};
  in.batch.tokens = golden.read_ints("input_ids");
  check(in.B > 0 && in.T > 0, "{}: 'input_ids' is empty", golden.path());
  for (int64_t b = 0; b < in.B; ++b) {
    in.batch.sequence_starts.push_back(static_cast<int32_t>(b * in.T));
    for (int64_t t = 0; t < in.T; ++t) {
      in.batch.positions.push_back(static_cast<int32_t>(t));
      in.targets.push_back(t + 1 < in.T ? in.batch.tokens[b * in.T + t + 1] : CrossEntropy::ignore);
    }
  }
  in.batch.sequence_starts.push_back(static_cast<int32_t>(in.tokens()));
  return in;
}

ConstTensor golden_rows(const SafetensorsFile& golden, const std::string& name, const VerifyInputs& inputs,
                        int64_t cols) {
  const ConstTensor t = golden.find(name);
  if (!t) return {};
  Dim B{"B", inputs.B}, T{"T", inputs.T}, width{"columns", cols};
  expect((golden.path() + ": " + name).c_str(), t, {B, T, width});
  return t.reshape({inputs.tokens(), cols});
}

NextTokenLoss::NextTokenLoss(Device& device, const VerifyInputs& inputs, Arena& memory, DType stat)
    : device_(device),
      scale_(1.0 / static_cast<double>(inputs.counted())),
      losses_(memory.allocate(stat, {inputs.tokens()})),
      targets_(memory.allocate(DType::i32, {inputs.tokens()})) {
  std::vector<int32_t> targets = inputs.targets;
  upload(device, targets_, Tensor(targets.data(), DType::i32, {inputs.tokens()}));
}

LossFunction NextTokenLoss::function(std::function<void(int64_t first, const Tensor& logits)> look) {
  return [this, look = std::move(look)](int64_t first, const Tensor& logits, const Tensor& dlogits) {
    if (look) look(first, logits);
    cross_entropy(device_, {.losses = losses_.slice(first, logits.rows()),
                            .dlogits = dlogits,
                            .logits = logits,
                            .targets = targets_.slice(first, logits.rows()),
                            .scale = scale_});
  };
}

int64_t next_token_loss_bytes(int64_t tokens) {
  constexpr int64_t alignment = 64;
  return tokens * (size_of(DType::f64) + size_of(DType::i32)) + 2 * alignment;
}

}  // namespace fathom
