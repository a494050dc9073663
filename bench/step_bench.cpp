// A whole training step on random tokens: forward, loss, backward, clipping norm, AdamW. Prints tokens/s,
// TFLOPS by the model's own arithmetic and the share of the measured peak, and where the time goes.
//   step_bench CONFIG [f32|bf16] [sequences] [length] [recompute]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "base/rng.h"
#include "bench/bench.h"
#include "model/head.h"
#include "model/model.h"
#include "ops/adamw.h"
#include "ops/cross_entropy.h"
#include "ops/elementwise.h"

namespace fathom::bench {
namespace {

struct Options {
  std::string config;
  DType dtype;
  int64_t sequences, length;
  Purpose purpose;
};

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Multiply-adds count two. Forward once, backward twice; a causal query sees half the sequence on average.
double step_flops(const Config& c, int64_t N, int64_t T) {
  const double weights = static_cast<double>(active_parameter_count(c, false));
  const double pairs = static_cast<double>(c.num_hidden_layers * c.num_attention_heads * (T + 1)) / 2;
  return 6 * static_cast<double>(N) * (weights + pairs * static_cast<double>(c.qk_head_dim() + c.v_head_dim));
}

class Step {
 public:
  explicit Step(const Options& o)
      : config_(read_config(o.config)), model_(make_model(config_, o.dtype)), N_(o.sequences * o.length) {
    initialize_weights(config_, model_.weights, 1, device_.threads());
    const BatchSize size{N_, o.sequences, N_};
    const DType stat = stat_of(o.dtype);
    const int copies = o.dtype == DType::bf16 ? 4 : 3;  // gradients, two moments, master weights
    memory_ = Arena("step", activation_bytes(config_, o.dtype, o.purpose, size) +
                                head_bytes(config_, o.dtype, N_) + copies * weight_bytes(config_, stat) +
                                N_ * config_.hidden_size * 4 + 64 * N_ + (1 << 20));
    grads_ = allocate_weights(config_, memory_, stat);
    m_ = allocate_weights(config_, memory_, stat);
    v_ = allocate_weights(config_, memory_, stat);
    if (o.dtype == DType::bf16) {
      master_ = allocate_weights(config_, memory_, stat);
      initialize_weights(config_, master_, 1, device_.threads());
    }
    activations_ = allocate_activations(config_, memory_, o.dtype, o.purpose, size);
    dhidden_ = memory_.allocate(o.dtype, {N_, config_.hidden_size});
    losses_ = memory_.allocate(stat, {N_});
    targets_ = memory_.allocate(DType::i32, {N_});
    fill_batch(o);
  }

  void run() {
    times_.forward = seconds_of([&] { hidden_ = model_forward(device_, model_, batch_, activations_); });
    times_.head = seconds_of([&] {
      head_backward(
          device_, model_, hidden_, memory_,
          [&](int64_t first, const Tensor& logits, const Tensor& dlogits) {
            cross_entropy(device_, {.losses = losses_.slice(first, logits.rows()),
                                    .dlogits = dlogits,
                                    .logits = logits,
                                    .targets = targets_.slice(first, logits.rows()),
                                    .scale = 1.0 / static_cast<double>(N_)});
          },
          dhidden_, grads_);
    });
    times_.backward =
        seconds_of([&] { model_backward(device_, model_, batch_, activations_, dhidden_, grads_); });
    times_.optimizer = seconds_of([&] { optimize(); });
  }

  struct Times {
    double forward, head, backward, optimizer;
    double total() const { return forward + head + backward + optimizer; }
  };
  const Times& times() const { return times_; }
  const Config& config() const { return config_; }
  int64_t tokens() const { return N_; }
  int threads() const { return device_.threads(); }

 private:
  void fill_batch(const Options& o) {
    batch_.tokens = memory_.allocate(DType::i32, {N_});
    batch_.positions = memory_.allocate(DType::i32, {N_});
    batch_.sequence_starts = memory_.allocate(DType::i32, {o.sequences + 1});
    Rng rng(5);
    for (int64_t n = 0; n < N_; ++n) {
      batch_.tokens.as<int32_t>()[n] =
          static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
      targets_.as<int32_t>()[n] = static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
      batch_.positions.as<int32_t>()[n] = static_cast<int32_t>(n % o.length);
    }
    for (int64_t b = 0; b <= o.sequences; ++b)
      batch_.sequence_starts.as<int32_t>()[b] = static_cast<int32_t>(b * o.length);
  }

  void optimize() {
    const auto w = list_weights(config_, model_.weights), g = list_weights(config_, grads_),
               m = list_weights(config_, m_), v = list_weights(config_, v_);
    std::vector<NamedWeight> master;
    if (master_.norm) master = list_weights(config_, master_);
    double squares = 0;
    for (const NamedWeight& x : g) {
      double sum = 0;
      sum_squares(device_, {.sum = &sum, .x = x.tensor});
      squares += sum;
    }
    ++step_;
    for (size_t i = 0; i < w.size(); ++i)
      adamw(device_, {.w = w[i].tensor,
                      .master = master.empty() ? Tensor() : master[i].tensor,
                      .grad = g[i].tensor,
                      .m = m[i].tensor,
                      .v = v[i].tensor,
                      .lr = 1e-4,
                      .grad_scale = std::min(1.0, 1.0 / std::sqrt(squares)),
                      .step = step_});
    for (const NamedWeight& x : g) scale(device_, {.x = x.tensor, .factor = 0});
  }

  Device device_ = Device::cpu();
  Config config_;
  Model model_;
  int64_t N_, step_ = 0;
  Arena memory_;
  Weights grads_, m_, v_, master_;
  Activations activations_;
  Tensor dhidden_, losses_, targets_, hidden_;
  Batch batch_;
  Times times_{};
};

void bench_step(const Options& o) {
  Step step(o);
  step.run();
  std::vector<Step::Times> runs;
  const auto start = std::chrono::steady_clock::now();
  while (runs.size() < 3 || std::chrono::steady_clock::now() - start < std::chrono::seconds(5)) {
    step.run();
    runs.push_back(step.times());
  }
  std::sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.total() < b.total(); });
  const Step::Times t = runs[runs.size() / 2];
  const double flops = step_flops(step.config(), step.tokens(), o.length),
               N = static_cast<double>(step.tokens());
  const double peak = measure_limits(step.threads()).fma;
  fmt::print(
      "{} {} {}x{}, {} threads: {:.0f} tokens/s, {:.1f} GFLOP/s, {:.0f}% of the f32 multiply-add peak\n",
      o.config, name_of(o.dtype), o.sequences, o.length, step.threads(), N / t.total(),
      flops / t.total() * 1e-9, 100 * flops / t.total() / peak);
  fmt::print("  step {:.3f} s: forward {:.3f}, head and loss {:.3f}, backward {:.3f}, optimizer {:.3f}\n",
             t.total(), t.forward, t.head, t.backward, t.optimizer);
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc < 2) {
    fmt::print(stderr, "usage: step_bench CONFIG [f32|bf16] [sequences] [length] [recompute]\n");
    return 1;
  }
  const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  bench::bench_step({.config = argv[1],
                     .dtype = dtype_named(argc > 2 ? argv[2] : "f32"),
                     .sequences = number(3, 8),
                     .length = number(4, 512),
                     .purpose = argc > 5 ? Purpose::training_recompute : Purpose::training});
}
