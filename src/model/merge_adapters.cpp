#include "model/merge_adapters.h"

#include <vector>

#include "io/copy_tensor.h"
#include "ops/dispatch.h"
#include "ops/linear.h"
#include "ops/scale.h"

namespace fathom {
namespace {

// One block of rows at a time, in the accumulator's type.
class Merger {
 public:
  explicit Merger(Device& device) : device_(device) {}

  void merge(Projection& p) {
    for (const LowRank& l : p.low_rank) {
      if (p.weight.data.rank == 2) merge(p.weight.data, l.a.data, l.b.data, l);
      for (int64_t e = 0; p.weight.data.rank == 3 && e < p.weight.data.shape[0]; ++e)
        merge(p.weight.data[e], l.a.data[e], l.b.data[e], l);
    }
    p.low_rank.clear();
  }

 private:
  void merge(const Tensor& w, const Tensor& a, const Tensor& b, const LowRank& l) {
    const Tensor exact_a = exact(a_, a), exact_b = exact(b_, b);
    scale(device_, {.x = exact_b, .factor = l.scale});
    for (int64_t k = 0; k < l.rows.blocks; ++k) {
      const Tensor rows = w.slice(l.rows.first + k * l.rows.stride, l.rows.height), sum = exact(w_, rows);
      linear_backward_input(device_, {.dx = sum,
                                      .dout = exact_b.slice(k * l.rows.height, l.rows.height),
                                      .w = exact_a,
                                      .accumulate = true});
      copy_tensor(sum, rows, "merged weight");
    }
  }
  // A copy of these values.
  static Tensor exact(std::vector<double>& memory, const Tensor& t) {
    memory.resize(static_cast<size_t>(t.count()));
    const Tensor copy(memory.data(), stat_of(t.dtype), {t.rows(), t.cols()});
    copy_tensor(t, copy, "weight");
    return copy;
  }

  Device& device_;
  std::vector<double> w_, a_, b_;
};

}  // namespace

void merge_adapters(Device& device, Model& model) {
  assert(device.on_host());
  Merger merger(device);
  for (LayerWeights& w : model.weights.layers)
    for (Projection* p : projections_of(w)) merger.merge(*p);
  model.config = without_adapters(model.config);
}

}  // namespace fathom
