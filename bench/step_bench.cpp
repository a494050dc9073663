// A whole training step on random tokens: forward, loss, backward, clipping norm, AdamW. Prints tokens/s,
// TFLOPS by the model's own arithmetic and the share of the measured peak, and where the time goes, op by op.
//   step_bench CONFIG [f32|bf16] [sequences] [length] [keep|recompute|PART,PART...] [device] [RATES]
// PART is what model/recompute.h names. RATES is a file to write: how fast each kind of op was, for
// fathom plan.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <string>

#include "base/rng.h"
#include "bench/bench.h"
#include "cli/profile_report.h"
#include "io/file.h"
#include "model/extension.h"
#include "model/head.h"
#include "model/model.h"
#include "ops/cross_entropy.h"
#include "plan/rates.h"
#include "tensor/memory.h"
#include "train/optimizer.h"

namespace fathom::bench {
namespace {

struct Options {
  std::string config;
  DType dtype;
  int64_t sequences, length;
  Recompute recompute;
  std::string device;
  std::string rates;  // file; empty: none
};

Recompute recompute_of(const std::string& text) {
  Recompute recompute;
  if (text == "recompute") recompute.layers = std::numeric_limits<int64_t>::max();
  if (text == "recompute" || text == "keep") return recompute;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) recompute.set_parts("step_bench", {name});
  return recompute;
}

// For sequences past its longest context the model is extended.
Config config_of(const Options& o) {
  const Config config = read_config(o.config);
  return o.length <= config.max_position_embeddings ? config : extended(config, o.length, 0, o.config);
}

double seconds_of(const std::function<void()>& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Step {
 public:
  explicit Step(const Options& o)
      : device_(Device::named(o.device)),
        config_(config_of(o)),
        model_(make_model(device_, config_, o.dtype)),
        grad_memory_("gradients", weight_bytes(config_, stat_of(o.dtype)), device_),
        grads_(config_, grad_memory_, o.dtype),
        optimizer_(device_, model_, grads_.weights, whole_weights(config_)),
        N_(o.sequences * o.length) {
    Weights exact = starting_weights(model_, grads_.weights);
    initialize_weights(device_, config_, exact, 1);
    optimizer_.start_from(device_, exact);
    const BatchSize size{N_, o.sequences, N_};
    activation_bytes_ = fathom::activation_bytes(config_, o.dtype, Purpose::training, size, o.recompute);
    memory_ = Arena("step",
                    activation_bytes_ + head_bytes(config_, o.dtype, N_, device_.on_host()) +
                        N_ * config_.hidden_size * 4 + 64 * N_ + (1 << 20),
                    device_);
    activations_ = allocate_activations(config_, memory_, o.dtype, Purpose::training, size, o.recompute);
    dhidden_ = memory_.allocate(o.dtype, {N_, config_.hidden_size});
    losses_ = memory_.allocate(stat_of(o.dtype), {N_});
    targets_ = memory_.allocate(DType::i32, {N_});
    batch_ = allocate_batch(memory_, size);
    fill_batch(o);
  }

  void run() {
    grads_.accumulate = false;
    times_.forward = timed([&] { hidden_ = model_forward(device_, model_, batch_, activations_); });
    times_.head = timed([&] {
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
    times_.backward = timed([&] { model_backward(device_, model_, batch_, activations_, dhidden_, grads_); });
    times_.optimizer = timed([&] {
      const double norm = std::sqrt(optimizer_.sum_of_squares(device_));
      optimizer_.update(device_, {}, 1e-4, std::min(1.0, 1.0 / norm), ++step_);
    });
  }

  struct Times {
    double forward, head, backward, optimizer;
    double total() const { return forward + head + backward + optimizer; }
  };
  const Times& times() const { return times_; }
  const Config& config() const { return config_; }
  int64_t tokens() const { return N_; }
  int64_t activation_bytes() const { return activation_bytes_; }
  Device& device() { return device_; }

 private:
  double timed(const std::function<void()>& body) const {
    return seconds_of([&] {
      body();
      synchronize(device_);
    });
  }

  void fill_batch(const Options& o) {
    HostBatch host;
    std::vector<int32_t> targets;
    Rng rng(5);
    const auto token = [&] {
      return static_cast<int32_t>(rng.below(static_cast<uint64_t>(config_.vocab_size)));
    };
    for (int64_t n = 0; n < N_; ++n) {
      host.tokens.push_back(token());
      targets.push_back(token());
      host.positions.push_back(static_cast<int32_t>(n % o.length));
    }
    for (int64_t b = 0; b <= o.sequences; ++b)
      host.sequence_starts.push_back(static_cast<int32_t>(b * o.length));
    upload_batch(device_, config_, host, batch_);
    upload(device_, targets_, Tensor(targets.data(), DType::i32, {N_}));
  }

  Device device_;
  Config config_;
  Model model_;
  Arena grad_memory_;
  WeightGradients grads_;
  Optimizer optimizer_;
  int64_t N_, step_ = 0, activation_bytes_ = 0;
  Arena memory_;
  Activations activations_;
  Tensor dhidden_, losses_, targets_, hidden_;
  Batch batch_;
  Times times_{};
};

// The profile is of one step, `seconds` the time of one without it.
void write_rates(const Options& o, Step& step, Profile& profile, double limit, double seconds) {
  double ops = 0;
  for (const Profile::Row& row : profile.rows()) ops += row.seconds;
  const Rates rates = measured_rates(
      {.device = describe(step.device()),
       .source = fmt::format("step_bench {} {} {}x{}", o.config, name_of(o.dtype), o.sequences, o.length),
       .on_host = step.device().on_host(),
       .dtype = o.dtype,
       .limit = limit,
       .whole_step = seconds / ops},
      profile.rows());
  write_file(o.rates, rates_to_json(rates).dump(2) + "\n");
}

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
  const double N = static_cast<double>(step.tokens()),
               flops = N * model_operations_per_token(step.config(), o.length);
  const Best limits = measure_best(step.device());
  fmt::print("{} {} {}x{}, {}: {:.0f} tokens/s, {:.1f} GFLOP/s, {:.0f}% of the measured {}\n", o.config,
             name_of(o.dtype), o.sequences, o.length, describe(step.device()), N / t.total(),
             flops / t.total() * 1e-9, 100 * flops / t.total() / limits.flops, limits.flops_name);
  fmt::print("  {:.1f} MB of activations\n", static_cast<double>(step.activation_bytes()) * 1e-6);
  fmt::print("  step {:.3f} s: forward {:.3f}, head and loss {:.3f}, backward {:.3f}, optimizer {:.3f}\n",
             t.total(), t.forward, t.head, t.backward, t.optimizer);
  Profile profile(step.device());
  step.run();
  print_profile(step.device(), o.dtype, profile, "one step, op by op");
  if (!o.rates.empty()) write_rates(o, step, profile, limits.flops, t.total());
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc < 2) {
    fmt::print(stderr,
               "usage: step_bench CONFIG [f32|bf16] [sequences] [length] [keep|recompute|PART,PART...] "
               "[device] [RATES]\n");
    return 1;
  }
  const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  bench::bench_step({.config = argv[1],
                     .dtype = dtype_named(argc > 2 ? argv[2] : "f32"),
                     .sequences = number(3, 8),
                     .length = number(4, 512),
                     .recompute = bench::recompute_of(argc > 5 ? argv[5] : "keep"),
                     .device = argc > 6 ? argv[6] : "cpu",
                     .rates = argc > 7 ? argv[7] : ""});
}
