// Generation with random weights: prefill and decode tokens per second of one sequence, and the share of the
// bound that the bytes of the active weights set. A config alone is enough.
//   generate_bench CONFIG [f32|bf16] [prompt] [new] [device] [tokens in a step]
// Without the last, or with 0, as many tokens as fathom generate takes (prompt_chunk()).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cli/profile_report.h"
#include "engine/prompt_chunk.h"
#include "ops/limits.h"
#include "tensor/memory.h"

namespace fathom::bench {
namespace {

// A few values over and over: nothing timed here depends on more.
template <class T>
void fill(const Tensor& host, const std::vector<float>& values) {
  T* to = host.as<T>();
  const int64_t n = static_cast<int64_t>(values.size()), count = host.count();
  for (int64_t i = 0; i < std::min(n, count); ++i) to[i] = T(values[i]);
  for (int64_t done = n; done < count; done += n) std::copy(to, to + std::min(n, count - done), to + done);
}

void fill_weights(const Device& device, const Config& config, const Weights& weights) {
  Rng rng(1);
  std::vector<float> values((1 << 20) - 1), ones(values.size(), 1);
  for (float& v : values) v = static_cast<float>(rng.normal() * config.initializer_range);
  Staging staging(device);
  for (const NamedWeight& w : list_weights(config, weights))
    staging.write(w.weight.data, [&](const Tensor& host) {
      const std::vector<float>& from = w.info.kind == WeightKind::norm ? ones : values;
      host.dtype == DType::bf16 ? fill<bf16>(host, from) : fill<float>(host, from);
    });
}

struct Speed {
  double prefill, decode;  // tokens per second
};

// decoding() is called once the prompt is read.
Speed generate(Engine& engine, const Request& request, const std::function<void()>& decoding) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  auto first = start, last = start;
  int64_t made = 0;
  engine.submit(request);
  while (engine.busy())
    for (size_t n = engine.step().size(); n > 0; --n, ++made) {
      last = Clock::now();
      if (made == 0) first = last, decoding();
    }
  const auto seconds = [](auto a, auto b) { return std::chrono::duration<double>(b - a).count(); };
  return {static_cast<double>(request.prompt.size()) / seconds(start, first),
          static_cast<double>(made - 1) / seconds(first, last)};
}

void bench_generation(const std::string& path, DType dtype, int64_t prompt, int64_t tokens,
                      const std::string& on, int64_t step) {
  Device device = Device::named(on);
  const Config config = read_config(path);
  const Model model = make_model(device, config, dtype);
  fill_weights(device, config, model.weights);
  EngineOptions options;
  options.cache_tokens = prompt + tokens + 64, options.max_sequences = 1;
  options.share_prefixes = false;  // each run reads the prompt
  options.token_budget = step > 0 ? std::min(step, prompt) : prompt_chunk(device, model, options, prompt);
  Engine engine(device, model, nullptr, options);
  Rng rng(2);
  Request request{{}, {}, {.max_tokens = tokens, .eos_token_ids = {}, .strings = {}}};
  for (int64_t i = 0; i < prompt; ++i)
    request.prompt.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(config.vocab_size))));
  const double bytes = static_cast<double>(active_parameter_count(config, false) * size_of(dtype));
  const double bound = measure_limits(device, dtype).bytes / bytes;
  for (const char* run : {"warm-up", "timed"}) {
    const Speed speed = generate(engine, request, [] {});
    fmt::print(
        "{} {} on {}, {}: prefill of {} at {:.0f} tokens/s, {} in a step; decode {:.1f} tokens/s, {:.0f}% of "
        "the {:.0f} that {:.2f} GB of active weights allow\n",
        path, name_of(dtype), on, run, prompt, speed.prefill, options.token_budget, speed.decode,
        100 * speed.decode / bound, bound, bytes * 1e-9);
  }
  request.stop.max_tokens = 9;
  {
    Profile profile(device);
    generate(engine, request, [&] { profile.stop(); });
    print_profile(device, dtype, profile, "the prompt, op by op");
  }
  std::optional<Profile> profile;
  generate(engine, request, [&] { profile.emplace(device); });
  print_profile(device, dtype, *profile, "8 tokens, decoded op by op");
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  using namespace fathom;
  if (argc < 2) {
    fmt::print(stderr,
               "usage: generate_bench CONFIG [f32|bf16] [prompt] [new] [device] [tokens in a step]\n");
    return 1;
  }
  const auto number = [&](int i, int64_t otherwise) { return argc > i ? std::atoll(argv[i]) : otherwise; };
  bench::bench_generation(argv[1], dtype_named(argc > 2 ? argv[2] : "bf16"), number(3, 512), number(4, 128),
                          argc > 5 ? argv[5] : "cpu", number(6, 0));
}
