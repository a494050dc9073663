#include "model/lora_targets.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "model/projection_parts.h"

namespace fathom {
namespace {

constexpr int64_t largest_rank = 1 << 16;

std::vector<std::string> last_parts(const std::vector<std::string>& names) {
  std::set<std::string> last;
  for (const std::string& name : names) last.insert(name.substr(name.rfind('.') + 1));
  return {last.begin(), last.end()};
}

// Of routed experts PEFT trains gate and up as one parameter.
void check_experts(const Lora& lora, const std::string& where) {
  const auto has = [&](const std::string& name) { return lora.projections.contains(name); };
  for (const auto& [name, shape] : lora.projections) {
    const size_t at = name.find(".experts.");
    if (at == std::string::npos) continue;
    const std::string experts = name.substr(0, at) + ".experts.";
    check(has(experts + "gate_proj") == has(experts + "up_proj"),
          "{}: of the routed experts' gate_proj and up_proj one is named alone: PEFT adapts both together",
          where);
  }
}

}  // namespace

Lora lora_of(const Config& config, const LoraOptions& o, const std::string& where) {
  check(o.rank >= 1 && o.rank <= largest_rank, "{}: the rank is {}: expected 1 to {}", where, o.rank,
        largest_rank);
  check(o.alpha > 0 && o.alpha < 1e9, "{}: alpha is {:g}: expected more than 0", where, o.alpha);
  const std::vector<std::string> names = projection_names(config);
  Lora lora;
  lora.rslora = o.rslora;
  for (const std::string& target : o.targets) {
    bool found = false;
    for (const std::string& name : names)
      if (is_target(target, name)) found = true, lora.projections[name] = {o.rank, o.alpha};
    check(found, "{}: '{}' names no projection of this model, which has {}", where, target,
          fmt::join(last_parts(names), ", "));
  }
  check(static_cast<bool>(lora), "{}: no projection is named", where);
  check_experts(lora, where);
  return lora;
}

}  // namespace fathom
