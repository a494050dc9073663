// Batched generation with random weights, through the engine: how fast it reads prompts, how fast it decodes,
// and how much of both is left when requests come and go. A config alone is enough.
//   batch_bench CONFIG f32|bf16 DEVICE TOKENS LOAD...
// TOKENS is the token budget of a step; 0: as many as prompt_chunk() takes. A LOAD is
//   BxP+N          B sequences together, P tokens of prompt and N new ones each: prefill and decode apart
//   RxP+N:B        the same, then R such requests at once, of which B run at a time
//   RxP+N:B@RATE   ... arriving RATE a second
//   BxP+N!         B sequences together, of which decoding alone is timed: each prompt is read once
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "cli/profile_report.h"
#include "engine/prompt_chunk.h"
#include "ops/limits.h"

namespace fathom::bench {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Load {
  int64_t requests = 0, prompt = 0, new_tokens = 0;
  int64_t running = 0;  // at a time
  double rate = 0;      // requests a second; 0: all at once
  bool decode_only = false;

  bool mixed() const { return running < requests; }
};

Load load_named(const std::string& text) {
  Load load;
  long requests = 0, prompt = 0, new_tokens = 0, running = 0;
  const int read =
      std::sscanf(text.c_str(), "%ldx%ld+%ld:%ld@%lf", &requests, &prompt, &new_tokens, &running, &load.rate);
  load.requests = requests, load.prompt = prompt, load.new_tokens = new_tokens;
  load.decode_only = read == 3 && text.ends_with('!');
  load.running = read > 3 ? running : requests;
  check(read >= 3 && requests > 0 && prompt > 0 && new_tokens > 0 && load.running > 0 &&
            load.running <= requests && load.rate >= 0,
        "a load is BxP+N, BxP+N!, RxP+N:B or RxP+N:B@RATE, not '{}'", text);
  return load;
}

// What a decoding step must read: all weights but the experts that none of its tokens chooses, when each
// chooses K of E at random, and the input embedding; and the sequences' cache.
double step_bytes(const Config& c, DType dtype, double sequences, double length) {
  const auto E = static_cast<double>(c.n_routed_experts), K = static_cast<double>(c.num_experts_per_tok);
  const double untouched = E > 0 ? E * std::pow(1 - K / E, sequences) : 0;
  const auto numbers = [&](int64_t n) { return static_cast<double>(n * size_of(dtype)); };
  const double expert = numbers(3 * c.moe_intermediate_size * c.hidden_size);
  return static_cast<double>(checkpoint_bytes(c, dtype)) -
         (c.tie_word_embeddings ? 0 : numbers(c.vocab_size * c.hidden_size)) -
         static_cast<double>(c.n_moe_layers()) * untouched * expert +
         sequences * length * numbers(c.cache_width() * c.num_hidden_layers);
}

struct Rates {
  double prefill, decode;  // tokens a second, each alone
};

class BatchBench {
 public:
  BatchBench(Device& device, const Model& model, const Load& load, int64_t budget)
      : device_(device),
        model_(model),
        load_(load),
        options_(options_of(budget)),
        engine_(device, model, nullptr, options_) {}

  Rates pure_rates(const Limits& limits) {
    prefill(), decode();  // warms up
    const double prefilled = prefill(), decoded = decode();
    const Rates rates{running() * static_cast<double>(load_.prompt) / prefilled, rate_of(decoded)};
    fmt::print("{} x {} + {}, {} tokens in a step: prefill {:.0f} tokens/s; {}\n", load_.running,
               load_.prompt, load_.new_tokens, options_.token_budget, rates.prefill,
               decode_text(limits, decoded));
    return rates;
  }

  void decode_only(const Limits& limits) {
    const double decoded = decode(/*warm_up=*/profiled_steps);
    fmt::print("{} x {} + {}: {}\n", load_.running, load_.prompt, load_.new_tokens,
               decode_text(limits, decoded));
  }

  // All requests as they arrive. The ratio is to reading all prompts and then decoding all tokens at the pure
  // rates; it says something where requests arrive faster than they are answered.
  void mixed(const Rates& pure) {
    const Clock::time_point start = Clock::now();
    double idle = 0;
    for (int64_t sent = 0; sent < load_.requests || engine_.busy();) {
      for (; sent < load_.requests && arrival(sent) <= seconds_since(start); ++sent) submit(load_.new_tokens);
      if (engine_.busy()) {
        engine_.step();
      } else {
        const double wait = std::max(0.0, arrival(sent) - seconds_since(start));
        std::this_thread::sleep_for(std::chrono::duration<double>(wait));
        idle += wait;
      }
    }
    const double seconds = seconds_since(start), R = static_cast<double>(load_.requests);
    const double prompts = R * static_cast<double>(load_.prompt),
                 made = R * static_cast<double>(load_.new_tokens);
    // The first token of each comes with its prompt.
    const double alone = prompts / pure.prefill + (made - R) / pure.decode;
    fmt::print(
        "{} requests of {} + {}, {} at a time, {}: {:.2f} s ({:.2f} s of them idle), {:.0f} tokens/s, {:.0f} "
        "new "
        "ones/s; {:.0f}% of the pure rates\n",
        load_.requests, load_.prompt, load_.new_tokens, load_.running,
        load_.rate > 0 ? fmt::format("{} a second", load_.rate) : "all at once", seconds, idle,
        (prompts + made) / seconds, made / seconds, 100 * alone / seconds);
  }

  void profile() {
    start_all(profiled_steps);
    {
      Profile profile(device_);
      for (int64_t i = 0; i < profiled_steps; ++i) engine_.step();
      print_profile(device_, model_.dtype, profile,
                    fmt::format("{} steps of {} sequences, decoded op by op", profiled_steps, load_.running));
    }
    stop_all();
  }

 private:
  static constexpr int64_t profiled_steps = 8;

  // While some prompts are read the others decode; they are at most this many tokens ahead.
  int64_t lead(int64_t budget) const { return 2 * load_.running * load_.prompt / budget + 2; }

  EngineOptions options_of(int64_t budget) const {
    EngineOptions o;
    o.max_sequences = load_.running, o.share_prefixes = false;
    const auto cache_for = [&](int64_t tokens) {
      const int64_t most = load_.prompt + load_.new_tokens + profiled_steps + lead(tokens);
      return load_.running * (most / o.page_size + 1) * o.page_size;
    };
    // At least half a step is left for prompts.
    const int64_t least = 2 * load_.running;
    o.cache_tokens = cache_for(least);
    o.token_budget =
        std::max(least, budget > 0 ? budget : prompt_chunk(device_, model_, o, load_.running * load_.prompt));
    o.cache_tokens = cache_for(o.token_budget);
    return o;
  }

  int64_t submit(int64_t new_tokens) {
    Request request{{}, {}, {.max_tokens = new_tokens, .eos_token_ids = {}, .strings = {}}};
    const auto V = static_cast<uint64_t>(model_.config.vocab_size);
    for (int64_t i = 0; i < load_.prompt; ++i) request.prompt.push_back(static_cast<int32_t>(rng_.below(V)));
    return engine_.submit(std::move(request));
  }

  double arrival(int64_t request) const {
    return load_.rate > 0 ? static_cast<double>(request) / load_.rate : 0;
  }

  // Seconds to read all prompts: the first token ends a sequence.
  double prefill() {
    for (int64_t b = 0; b < load_.running; ++b) submit(1);
    const Clock::time_point start = Clock::now();
    while (engine_.busy()) engine_.step();
    return seconds_since(start);
  }

  double running() const { return static_cast<double>(load_.running); }
  double rate_of(double decoded) const { return running() * static_cast<double>(load_.new_tokens) / decoded; }

  // Of decoding all new tokens in this many seconds.
  std::string decode_text(const Limits& limits, double decoded) const {
    const auto steps = static_cast<double>(load_.new_tokens);
    const double bytes = step_bytes(model_.config, model_.dtype, running(),
                                    static_cast<double>(load_.prompt) + steps / 2),
                 bound = limits.bytes / bytes * running();
    return fmt::format(
        "decode {:.0f} tokens/s, {:.2f} ms a step, {:.0f}% of the {:.0f} that {:.2f} GB of weights and cache "
        "a "
        "step allow",
        rate_of(decoded), 1e3 * decoded / steps, 100 * rate_of(decoded) / bound, bound, bytes * 1e-9);
  }

  // Seconds of the steps in which all sequences decode, after `warm_up` of them.
  double decode(int64_t warm_up = 0) {
    start_all(load_.new_tokens + warm_up);
    for (int64_t i = 0; i < warm_up; ++i) decode_step();
    const Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < load_.new_tokens; ++i) decode_step();
    const double seconds = seconds_since(start);
    stop_all();
    return seconds;
  }
  void decode_step() {
    const auto made = static_cast<int64_t>(engine_.step().size());
    check(made == load_.running,
          "{} of {} sequences gave a token: they need more context than "
          "max_position_embeddings = {}",
          made, load_.running, model_.config.max_position_embeddings);
  }

  // Until every sequence decodes; `steps` more are possible.
  void start_all(int64_t steps) {
    ids_.clear();
    for (int64_t b = 0; b < load_.running; ++b)
      ids_.push_back(submit(lead(options_.token_budget) + steps + 1));
    std::set<int64_t> started;
    while (started.size() < ids_.size())
      for (const Output& o : engine_.step()) started.insert(o.id);
  }
  void stop_all() {
    for (const int64_t id : ids_) engine_.abort(id);
  }

  Device& device_;
  const Model& model_;
  Load load_;
  EngineOptions options_;
  Engine engine_;
  Rng rng_{2};
  std::vector<int64_t> ids_;
};

void bench_batches(const std::string& path, DType dtype, const std::string& on, int64_t budget,
                   const std::vector<Load>& loads) {
  Device device = Device::named(on);
  Model model = make_model(device, read_config(path), dtype);
  initialize_weights(device, model.config, model.weights, 1);
  const Limits limits = measure_limits(device, dtype);
  fmt::print("{} {} on {}, {:.0f} GB/s copied\n", path, name_of(dtype), device.name(), limits.bytes * 1e-9);
  for (const Load& load : loads) {
    BatchBench bench(device, model, load, budget);
    if (load.decode_only) {
      bench.decode_only(limits);
      continue;
    }
    const Rates pure = bench.pure_rates(limits);
    if (load.mixed())
      bench.mixed(pure);
    else
      bench.profile();
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc < 6) {
    fmt::print(
        stderr,
        "usage: batch_bench CONFIG f32|bf16 DEVICE TOKENS LOAD...   (TOKENS in a step, 0: the default; "
        "LOAD: BxP+N, BxP+N!, RxP+N:B or RxP+N:B@RATE)\n");
    return 1;
  }
  std::vector<bench::Load> loads;
  for (int i = 5; i < argc; ++i) loads.push_back(bench::load_named(argv[i]));
  bench::bench_batches(argv[1], dtype_named(argv[2]), argv[3], std::atoll(argv[4]), loads);
}
