#include "ops/sample.h"

#include "base/error.h"

namespace fathom {

std::string sample_failure(int32_t id) {
  if (id == sample_nothing_likely) return "every logit is minus infinity";
  return fmt::format("the logit of token {} is not a finite number", -1 - id);
}

void sample(Device& device, const Sample& a) {
  Dim n{"n"}, V{"V"}, columns{"columns", sample_setting::columns};
  expect("sample logits", a.logits, {n, V});
  expect("sample ids", a.ids, {n}, DType::i32);
  expect("sample settings", a.settings, {n, columns}, DType::f64);
  expect("sample top_k", a.top_k, {n}, DType::i32);
  if (a.log_probs) expect("sample log_probs", a.log_probs, {n}, a.logits.dtype);
  check(V > 0, "sample: there are no tokens to pick from");
  FATHOM_DISPATCH(sample, device, a, moves(a.ids, a.logits, a.settings, a.top_k), 2.0 * a.logits.count())
}

}  // namespace fathom
