#include "ops/attention.h"

namespace fathom::cpu {
void attention_forward(Device&, const AttentionForward&) {
  fail("attention: the cpu kernel is not landed yet");
}
void attention_backward(Device&, const AttentionBackward&) {
  fail("attention: the cpu kernel is not landed yet");
}
}  // namespace fathom::cpu
