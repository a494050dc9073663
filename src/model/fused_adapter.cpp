#include "model/fused_adapter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

constexpr std::string_view experts_end = ".mlp.experts", inner = ".base_layer", a_end = ".lora_A.weight",
                           b_end = ".lora_B.weight";

std::string tensor_name(const std::string& module, std::string_view end) {
  return std::string(peft_prefix) + module + std::string(end);
}

std::vector<float> values_of(const CheckpointReader& tensors, const std::string& name) {
  const std::vector<int64_t>& shape = tensors.entry(name)->shape;
  std::vector<float> values(static_cast<size_t>(shape[0] * shape[1]));
  tensors.read(name, Tensor(values.data(), DType::f32, {shape[0], shape[1]}));
  return values;
}

// Which parameter of the experts a module adapts: of two, PEFT wraps the first one inside.
std::string parameter_in(const CheckpointReader& tensors, const AdapterConfig& settings,
                         const std::string& module) {
  const bool is_inner = module.ends_with(inner);
  const std::string experts = module.substr(0, module.size() - (is_inner ? inner.size() : 0));
  if (is_inner) return experts + ".gate_up_proj";
  if (tensors.entry(tensor_name(experts + std::string(inner), a_end))) return experts + ".down_proj";
  const bool gate_up = settings.targets_parameter(experts + ".gate_up_proj"),
             down = settings.targets_parameter(experts + ".down_proj");
  check(
      gate_up != down,
      "{}: tensor '{}' is of gate_up_proj or of down_proj: option 'target_parameters' must name one of them",
      tensors.listing(), tensor_name(module, a_end));
  return experts + (down ? ".down_proj" : ".gate_up_proj");
}

// Whether gate's rows of B use the first half of the ranks alone, and up's rows the second.
bool is_block_diagonal(const CheckpointReader& tensors, const FusedPart& p, int64_t experts) {
  if (p.stored_rank % 2 != 0) return false;
  const std::vector<float> b = values_of(tensors, p.b);
  const int64_t half_rows = p.b_shape[0] / 2, columns = p.b_shape[1], half = p.stored_rank / 2 * experts;
  for (int64_t row = 0; row < p.b_shape[0]; ++row)
    for (int64_t i = 0; i < half; ++i)
      if (b[static_cast<size_t>(row * columns + i + (row < half_rows ? half : 0))] != 0) return false;
  return true;
}

FusedPart whole_part(const CheckpointReader& tensors, const std::string& module, int64_t experts) {
  FusedPart p{.a = tensor_name(module, a_end), .b = tensor_name(module, b_end), .a_shape = {}, .b_shape = {}};
  for (const auto& [name, shape] : {std::pair(&p.a, &p.a_shape), std::pair(&p.b, &p.b_shape)}) {
    const SafetensorsEntry* entry = tensors.entry(*name);
    check(entry, "{}: tensor '{}' is missing", tensors.listing(), *name);
    *shape = entry->shape;
    check(shape->size() == 2 && entry->view && is_float(entry->view.dtype),
          "{}: tensor '{}' has type {} and shape [{}]: expected a matrix of a float type", tensors.listing(),
          *name, entry->dtype, fmt::join(*shape, ", "));
  }
  check(p.a_shape[0] > 0 && p.a_shape[0] % experts == 0 && p.b_shape[1] == p.a_shape[0],
        "{}: tensors '{}' [{}] and '{}' [{}] are no adapter of {} experts", tensors.listing(), p.a,
        fmt::join(p.a_shape, ", "), p.b, fmt::join(p.b_shape, ", "), experts);
  p.stored_rank = p.rank = p.a_shape[0] / experts;
  return p;
}

}  // namespace

std::map<std::string, FusedPart> fused_parts(const CheckpointReader& tensors, const AdapterConfig& settings,
                                             const Config& config) {
  std::map<std::string, FusedPart> parts;
  if (config.n_routed_experts == 0) return parts;
  for (const std::string& name : tensors.names()) {
    if (!name.starts_with(peft_prefix) || !name.ends_with(a_end)) continue;
    const std::string module =
        name.substr(peft_prefix.size(), name.size() - peft_prefix.size() - a_end.size());
    if (!module.ends_with(experts_end) && !module.ends_with(std::string(experts_end) + std::string(inner)))
      continue;
    FusedPart p = whole_part(tensors, module, config.n_routed_experts);
    const std::string parameter = parameter_in(tensors, settings, module);
    if (parameter.ends_with(".down_proj")) {
      parts[parameter] = p;
      continue;
    }
    check(p.b_shape[0] % 2 == 0, "{}: tensor '{}' has {} rows, gate and up together: they must be even",
          tensors.listing(), p.b, p.b_shape[0]);
    const std::string experts = parameter.substr(0, parameter.rfind('.') + 1);
    const bool halves = is_block_diagonal(tensors, p, config.n_routed_experts);
    if (halves) p.rank /= 2;
    parts[experts + "gate_proj"] = p;
    if (halves) p.first_rank = p.rank;
    p.first_row = p.b_shape[0] / 2;
    parts[experts + "up_proj"] = p;
  }
  return parts;
}

void read_fused(const CheckpointReader& tensors, const FusedPart& p, const WeightInfo& info,
                int64_t all_experts, const Tensor& to) {
  const bool is_a = info.kind == WeightKind::lora_a;
  const std::vector<float> stored = values_of(tensors, is_a ? p.a : p.b);
  const int64_t E = to.shape[0], rows = to.shape[1], columns = to.shape[2];
  const auto place = [&](int64_t e, int64_t row, int64_t column) {
    if (is_a) return ((info.first_expert + e) * p.stored_rank + p.first_rank + row) * columns + column;
    return (p.first_row + row) * p.stored_rank * all_experts + (p.first_rank + column) * all_experts +
           info.first_expert + e;
  };
  with_dtype<double, float, bf16>("read_fused", to.dtype, [&]<class T>(T) {
    for (int64_t e = 0; e < E; ++e)
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column)
          to.as<T>()[(e * rows + row) * columns + column] =
              T(stored[static_cast<size_t>(place(e, row, column))]);
  });
}

}  // namespace fathom
