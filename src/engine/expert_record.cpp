#include "engine/expert_record.h"

#include <limits>

#include "base/error.h"

namespace fathom {

ExpertRecord::ExpertRecord(const Config& c, int64_t pages, int64_t page_size)
    : page_size_(page_size),
      layers_(c.n_moe_layers()),
      k_(layers_ > 0 ? c.num_experts_per_tok : 0),
      ids_(static_cast<size_t>(pages * page_size * layers_ * k_)) {
  check(c.n_routed_experts <= std::numeric_limits<uint16_t>::max() + 1,
        "experts of a model with {} of them cannot be recorded, which takes numbers of 16 bits",
        c.n_routed_experts);
}

size_t ExpertRecord::place(const Sequence& s, int64_t token) const {
  const int64_t slot = s.pages[static_cast<size_t>(token / page_size_)] * page_size_ + token % page_size_;
  return static_cast<size_t>(slot * layers_ * k_);
}

void ExpertRecord::write(std::span<const Scheduled> pieces, const ConstTensor& ids) {
  if (layers_ == 0) return;
  const int64_t N = ids.rows() / layers_;
  int64_t n = 0;
  for (const Scheduled& piece : pieces)
    for (int64_t i = 0; i < piece.tokens; ++i, ++n) {
      uint16_t* to = ids_.data() + place(*piece.sequence, piece.sequence->cached + i);
      for (int64_t layer = 0; layer < layers_; ++layer)
        for (int64_t k = 0; k < k_; ++k) *to++ = static_cast<uint16_t>(ids.row<int32_t>(layer * N + n)[k]);
    }
}

ChosenExperts ExpertRecord::read(const Sequence& s) const {
  ChosenExperts experts{.layers = layers_, .k = k_, .ids = {}};
  const int64_t each = layers_ * k_;
  experts.ids.reserve(static_cast<size_t>(s.cached * each));
  for (int64_t t = 0; t < s.cached; ++t) {
    const auto from = ids_.begin() + static_cast<std::ptrdiff_t>(place(s, t));
    experts.ids.insert(experts.ids.end(), from, from + each);
  }
  return experts;
}

}  // namespace fathom
