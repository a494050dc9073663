// How fast tasks are scored, with random weights: tokens a second that must be computed, beside the engine's pure rate of
// reading prompts of the same length. A config alone is enough, with any tokenizer of no more tokens.
//   eval_bench CONFIG f32|bf16 DEVICE TOKENIZER DATA TASK[,TASK...] [SEQUENCES...]
// TOKENIZER is a folder; DATA and TASK as for fathom eval. SEQUENCES are worked on at a time, by default as there.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/parse_number.h"
#include "base/rng.h"
#include "cli/flags.h"
#include "cli/profile_report.h"
#include "eval/task_engine.h"
#include "eval/task_run.h"

namespace fathom::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class EvalBench {
 public:
  EvalBench(Device& device, const Model& model, const Tokenizer& tokenizer, const TaskWithItems& task)
      : device_(device), model_(model), tokenizer_(tokenizer), task_(task) {}

  void run(int64_t sequences) {
    const EngineOptions options = task_engine(std::span(&task_, 1), sequences, device_, model_);
    Engine engine(device_, model_, &tokenizer_, options);
    score(engine);  // warms up
    const int64_t before = engine.tokens_run();
    const double seconds = score(engine);
    const auto tokens = static_cast<double>(engine.tokens_run() - before),
               items = static_cast<double>(task_.data.size()), rate = tokens / seconds,
               pure = prefill_rate(options, static_cast<int64_t>(tokens / items));
    fmt::print(
        "{:<12} {:>5} sequences, steps of {} tokens: {:.0f} items in {:.2f} s, {:.0f} items/s, {:.0f} tokens each; "
        "{:.0f} tokens/s, {:.0f}% of the prefill rate {:.0f}\n",
        task_.task.name, sequences, options.token_budget, items, seconds, items / seconds, tokens / items, rate,
        100 * rate / pure, pure);
    Profile profile(device_);
    score(engine);
    print_profile(device_, model_.dtype, profile, fmt::format("{}, op by op", task_.task.name));
    std::fflush(stdout);
  }

 private:
  double score(Engine& engine) const {
    TaskRunSettings settings;
    settings.threads = settings.measurement.threads = device_.threads();
    settings.together = items_together(engine.max_sequences());
    const Clock::time_point start = Clock::now();
    run_task({engine, tokenizer_}, task_.task, task_.data, settings);
    return seconds_since(start);
  }

  // Of prompts of `length` tokens that share nothing, some full steps of them.
  double prefill_rate(EngineOptions options, int64_t length) const {
    options.share_prefixes = false;
    options.max_sequences = std::max<int64_t>(options.token_budget / length, 1);
    options.cache_tokens = 2 * options.max_sequences * (length + options.page_size);
    Engine engine(device_, model_, nullptr, options);
    Rng rng(2);
    double seconds = 0;
    const int64_t prompts = 8 * options.max_sequences;
    for (const bool warm : {false, true}) {
      for (int64_t n = 0; n < prompts; ++n) {
        Request request{{}, {}, {.max_tokens = 1, .eos_token_ids = {}, .strings = {}}};
        for (int64_t i = 0; i < length; ++i)
          request.prompt.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(model_.config.vocab_size))));
        engine.submit(std::move(request));
      }
      const Clock::time_point start = Clock::now();
      while (engine.busy()) engine.step();
      if (warm) seconds = seconds_since(start);
    }
    return static_cast<double>(prompts * length) / seconds;
  }

  Device& device_;
  const Model& model_;
  const Tokenizer& tokenizer_;
  const TaskWithItems& task_;
};

void bench_tasks(char** argv, std::vector<int64_t> sequences) {
  const DType dtype = dtype_named(argv[2]);
  Device device = Device::named(argv[3]);
  if (sequences.empty()) sequences = {default_sequences(device)};
  Model model = make_model(device, read_config(argv[1]), dtype);
  initialize_weights(device, model.config, model.weights, 1);
  const Tokenizer tokenizer = Tokenizer::load(argv[4]);
  fmt::print("{} {} on {}\n", argv[1], name_of(dtype), device.name());
  for (const std::string& name : comma_parts(argv[6])) {
    const TaskWithItems task = with_items(task_named(name), argv[5], 0, MeasurementSettings().seed);
    for (const int64_t n : sequences) EvalBench(device, model, tokenizer, task).run(n);
  }
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc < 7) {
    fmt::print(stderr, "usage: eval_bench CONFIG f32|bf16 DEVICE TOKENIZER DATA TASK[,TASK...] [SEQUENCES...]\n");
    return 1;
  }
  std::vector<int64_t> sequences;
  for (int i = 7; i < argc; ++i) sequences.push_back(parse_number<int64_t>("SEQUENCES", argv[i], {.low = 1}));
  bench::bench_tasks(argv, sequences);
}
