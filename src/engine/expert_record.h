// ExpertRecord: which experts the tokens in the latent cache were sent to. A table beside the cache, by page
// and slot, in the host's memory: the step that writes a token's latent row writes its experts too, and they
// live as long. Sequences that share a page share what is recorded for it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engine/scheduler.h"
#include "model/expert_replay.h"

namespace fathom {

class ExpertRecord {
 public:
  // Takes pages * page_size * MoE layers * K * 2 bytes.
  ExpertRecord(const Config& config, int64_t pages, int64_t page_size);

  // The experts of a batch that began with these pieces: ids [MoE layers * N, K] i32, N tokens of a layer one
  // after another.
  void write(std::span<const Scheduled> pieces, const ConstTensor& ids);
  // Of a sequence's tokens that are in the cache.
  ChosenExperts read(const Sequence& sequence) const;

 private:
  size_t place(const Sequence& sequence, int64_t token) const;  // in ids_

  int64_t page_size_, layers_, k_;
  std::vector<uint16_t> ids_;  // [pages, page_size, MoE layers, K]
};

}  // namespace fathom
