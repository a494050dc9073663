#include "cli/sampling_flags.h"

#include <CLI/CLI.hpp>
#include <random>

#include "base/log.h"
#include "cli/flags.h"

namespace fathom {
namespace {

// Flags that a greedy choice does not look at.
void warn_of_ignored_flags(const SamplingFlags& o) {
  std::string flags;
  const auto add = [&flags](bool given, const char* flag) {
    if (given) flags += (flags.empty() ? "" : ", ") + std::string(flag);
  };
  add(o.top_k.has_value(), "--top-k");
  add(o.top_p.has_value(), "--top-p");
  add(o.min_p.has_value(), "--min-p");
  add(o.seed.has_value(), "--seed");
  if (!flags.empty()) log::warn("temperature 0 always takes the most likely token: {} has no effect", flags);
}

}  // namespace

void add_sampling_flags(CLI::App& command, SamplingFlags& o) {
  CLI::Option* temperature = add_number(command, "--temperature", o.temperature,
                                        "0: always the most likely token", Allowed<double>{.low = 0});
  add_number(command, "--top-k", o.top_k, "sample from the k most likely tokens; 0: all",
             Allowed<int64_t>{.low = 0});
  add_number(command, "--top-p", o.top_p,
             "sample from the most likely tokens that hold this much probability",
             Allowed<double>{.low = 0, .high = 1, .low_excluded = true});
  add_number(command, "--min-p", o.min_p, "drop tokens less likely than this times the most likely one",
             Allowed<double>{0, 1});
  add_number(command, "--seed", o.seed, "of the random numbers; by default another one each time");
  command.add_flag("--greedy", o.greedy, "the same as --temperature 0")->excludes(temperature);
}

SamplingParameters sampling_of(const SamplingFlags& o, SamplingParameters p) {
  const bool filters = o.top_k || o.top_p || o.min_p;
  if (o.temperature)
    p.temperature = *o.temperature;
  else if (filters && p.temperature == 0)
    p.temperature = 1;
  if (o.greedy) p.temperature = 0;
  p.top_k = o.top_k.value_or(p.top_k);
  p.top_p = o.top_p.value_or(p.top_p);
  p.min_p = o.min_p.value_or(p.min_p);
  if (p.temperature == 0) warn_of_ignored_flags(o);
  std::random_device random;
  p.seed = o.seed ? *o.seed : random();
  return p;
}

}  // namespace fathom
