#include "ops/latent_attention.h"

namespace fathom::cpu {
void latent_attention(Device&, const LatentAttention&) {
  fail("attention: the cpu kernel is not landed yet");
}
void latent_write(Device&, const LatentWrite&) {
  fail("attention: the cpu kernel is not landed yet");
}
void latent_read(Device&, const LatentRead&) {
  fail("attention: the cpu kernel is not landed yet");
}
}  // namespace fathom::cpu
