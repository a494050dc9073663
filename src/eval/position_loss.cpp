#include "eval/position_loss.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "model/activations.h"
#include "model/head.h"
#include "model/token_loss.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// One window at a time through the model.
class WindowPass {
 public:
  WindowPass(Device& device, const Model& model, int64_t length)
      : device_(device),
        model_(model),
        size_{.tokens = length, .sequences = 1, .keys = length},
        memory_("evaluation", bytes(), device, "a smaller --length lowers it"),
        work_(lay_out(memory_)) {}

  // The losses of `length` tokens, each predicted from those before it.
  std::vector<float> losses(std::span<const int32_t> window /* [length+1] */) {
    const auto N = static_cast<size_t>(size_.tokens);
    HostBatch host;
    host.tokens.assign(window.begin(), window.end() - 1);
    host.positions.resize(N);
    std::iota(host.positions.begin(), host.positions.end(), 0);
    host.sequence_starts = {0, static_cast<int32_t>(N)};
    upload_batch(device_, model_.config, host, work_.batch);
    upload(device_, work_.targets, ConstTensor(window.data() + 1, DType::i32, {size_.tokens}));
    const Tensor hidden = model_forward(device_, model_, work_.batch, work_.activations);
    const int64_t before = memory_.used();
    head_forward(device_, model_, hidden, memory_, token_loss(device_, work_.targets, {}, work_.losses, 1));
    memory_.rewind(before);

    std::vector<float> values(N);
    download(device_, Tensor(values.data(), DType::f32, {size_.tokens}), work_.losses);
    return values;
  }

 private:
  struct Work {
    Batch batch;
    Tensor targets;  // [N] i32
    Tensor losses;   // [N] f32
    Activations activations;
  };
  Work lay_out(Arena& arena) const {
    Work w;
    w.batch = allocate_batch(arena, size_);
    w.targets = arena.allocate(DType::i32, {size_.tokens});
    w.losses = arena.allocate(DType::f32, {size_.tokens});
    w.activations = allocate_activations(model_.config, arena, model_.dtype, Purpose::serving, size_);
    return w;
  }
  int64_t bytes() const {
    Arena plan;
    lay_out(plan);
    return plan.used() + head_bytes(model_.config, model_.dtype, size_.tokens, device_.on_host());
  }

  Device& device_;
  const Model& model_;
  const BatchSize size_;
  Arena memory_;
  Work work_;
};

}  // namespace

std::vector<PositionLoss> position_losses(Device& device, const Model& model,
                                          std::span<const int32_t> beginning, std::span<const int32_t> text,
                                          int64_t length, int64_t ranges) {
  const int64_t longest = model.config.max_position_embeddings;
  check(length <= longest, "a window of {} tokens is longer than the model's longest context, {}", length,
        longest);
  const int64_t own = length - static_cast<int64_t>(beginning.size());  // of the text
  check(own >= 1 && ranges >= 1 && ranges <= length, "{} ranges of positions cannot be made of {} tokens",
        ranges, length);
  const int64_t windows = (static_cast<int64_t>(text.size()) - 1) / own;
  check(windows >= 1, "the text has {} tokens, too few for a window of {}", text.size(), length);

  std::vector<PositionLoss> all;
  for (int64_t i = 0; i < ranges; ++i) all.push_back({i * length / ranges, (i + 1) * length / ranges});
  WindowPass pass(device, model, length);
  Progress progress("windows", windows, "windows");
  for (int64_t w = 0; w < windows; ++w) {
    check(!interrupted(), "interrupted after {} of {} windows", w, windows);
    std::vector<int32_t> window(beginning.begin(), beginning.end());
    const auto part = text.subspan(static_cast<size_t>(w * own), static_cast<size_t>(own + 1));
    window.insert(window.end(), part.begin(), part.end());
    const std::vector<float> losses = pass.losses(window);
    for (PositionLoss& range : all)
      for (int64_t i = range.first; i < range.end; ++i) {
        range.loss += losses[static_cast<size_t>(i)];
        ++range.tokens;
      }
    progress.update(w + 1);
  }
  for (PositionLoss& range : all) range.loss /= static_cast<double>(range.tokens);
  return all;
}

std::string position_table(const std::vector<PositionLoss>& losses) {
  std::string out = fmt::format("{:<20}{:>10}{:>10}{:>12}\n", "positions", "tokens", "loss", "perplexity");
  for (const PositionLoss& p : losses)
    out += fmt::format("{:<20}{:>10}{:>10.4f}{:>12.2f}\n", fmt::format("{}..{}", p.first, p.end - 1),
                       p.tokens, p.loss, std::exp(p.loss));
  return out;
}

OrderedJson position_json(const std::vector<PositionLoss>& losses) {
  OrderedJson all = OrderedJson::array();
  for (const PositionLoss& p : losses)
    all.push_back({{"first", p.first}, {"end", p.end}, {"tokens", p.tokens}, {"loss", p.loss}});
  return all;
}

}  // namespace fathom
