#include "model/adapter_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "io/descriptor.h"
#include "model/checkpoint_layout.h"
#include "model/projection_parts.h"
#include "model/tensor_comparison.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

const std::string score = std::string(peft_prefix) + "score.weight";

std::string tensors_path(const std::string& folder) {
  const std::string path = file_in(folder, "adapter_model.safetensors");
  std::error_code ignored;
  check(!std::filesystem::exists(file_in(folder, "adapter_model.bin"), ignored) ||
            std::filesystem::exists(path, ignored),
        "{}: only adapters in adapter_model.safetensors are read", file_in(folder, "adapter_model.bin"));
  return path;
}

}  // namespace

AdapterFile::AdapterFile(const std::string& folder)
    : settings_path_(file_in(folder, "adapter_config.json")),
      settings_(adapter_config_from_json(read_json(settings_path_), settings_path_)),
      tensors_(tensors_path(folder)) {}

void AdapterFile::add(Config& c, const std::string& projection, const std::string& module, int64_t rank,
                      int64_t stored_rank) const {
  const bool parameter = settings_.targets_parameter(parameter_of(projection));
  const LoraShape named = settings_.shape_of(parameter ? parameter_of(projection) : module);
  check(named.rank == stored_rank, "{}: the rank of '{}' is {}, and its tensors in {} have {}",
        settings_path_, parameter ? parameter_of(projection) : module, named.rank, tensors_.listing(),
        stored_rank);
  check(named.alpha > 0 && named.alpha < 1e9, "{}: option 'lora_alpha' is {}: expected more than 0",
        settings_path_, named.alpha);
  // The scale is that of the stored rank.
  const double ratio = static_cast<double>(rank) / static_cast<double>(stored_rank);
  c.lora.projections[projection] = {rank, named.alpha * (settings_.rslora ? std::sqrt(ratio) : ratio)};
}

void AdapterFile::add_modules(Config& c) const {
  constexpr std::string_view end = ".lora_A.weight";
  const std::vector<std::string> known = projection_names(c);
  for (const std::string& name : tensors_.names()) {
    if (!name.starts_with(peft_prefix) || !name.ends_with(end)) continue;
    const std::string module = name.substr(peft_prefix.size(), name.size() - peft_prefix.size() - end.size()),
                      projection = without_expert(module);
    if (c.lora.projections.contains(projection)) continue;
    if (std::find(known.begin(), known.end(), projection) == known.end()) continue;  // said in check_tensors
    const std::vector<int64_t>& shape = tensors_.entry(name)->shape;
    const int64_t rank = shape.empty() ? 0 : shape[0];
    check(rank > 0, "{}: tensor '{}' has rank 0", tensors_.listing(), name);
    const bool joined = projection != module && !projection.ends_with(".down_proj") &&
                        settings_.targets_parameter(parameter_of(projection));
    add(c, projection, module, rank, joined ? 2 * rank : rank);
  }
}

void AdapterFile::check_targets(const Config& c) const {
  for (const std::string& name : projection_names(c))
    check(c.lora.projections.contains(name) || !settings_.targets(name),
          "{}: '{}' is a target, and {} has no tensors for it", settings_path_, name, tensors_.listing());
}

void AdapterFile::check_tensors(const Config& c, const FusedParts& fused) const {
  TensorComparison comparison(tensors_);
  for (const NamedWeight& w : list_weights(c, {})) {
    if (!is_trained(w.info) || comparison.enough()) continue;
    const auto part = fused.find(w.info.name.substr(0, w.info.name.rfind(".lora_")));
    if (part == fused.end()) {
      comparison.expect_parts(w.info);
    } else if (w.info.kind == WeightKind::lora_a) {
      comparison.expect(part->second.a, {part->second.a_shape[0], w.info.shape[2]});
    } else {
      const int64_t joined = w.info.name.ends_with("down_proj.lora_B.weight") ? 1 : 2;
      comparison.expect(part->second.b, {joined * w.info.shape[1], part->second.b_shape[1]});
    }
  }
  comparison.report();
}

bool AdapterFile::has_score_head() const {
  return tensors_.entry(score) != nullptr;
}

Config AdapterFile::with(const Config& config) const {
  Config c = without_adapters(config);
  if (const SafetensorsEntry* head = tensors_.entry(score); head && !c.has_score_head())
    c = with_score_head(c, head->shape.empty() ? 0 : head->shape[0], std::nullopt, tensors_.listing());
  c.lora.rslora = settings_.rslora;
  const FusedParts fused = fused_parts(tensors_, settings_, c);
  const std::vector<std::string> known = projection_names(c);
  for (const auto& [projection, part] : fused) {
    check(std::find(known.begin(), known.end(), projection) != known.end(),
          "{}: tensor '{}' is not part of this model", tensors_.listing(), part.a);
    add(c, projection, parameter_of(projection), part.rank, part.stored_rank);
  }
  add_modules(c);
  const std::vector<std::string> names = tensors_.names();
  check(static_cast<bool>(c.lora), "{}: {}", tensors_.listing(),
        names.empty() ? "holds no tensors" : "tensor '" + names[0] + "' is not part of this model");
  check_tensors(c, fused);
  check_targets(c);
  return c;
}

void AdapterFile::load(const Device& device, const Config& c, Weights& weights, const ModelPart& part) const {
  const FusedParts fused = fused_parts(tensors_, settings_, c);
  check_tensors(c, fused);
  Staging staging(device);
  for (const NamedWeight& w : list_weights(c, weights, part)) {
    if (!is_trained(w.info) || !w.weight) continue;
    const auto found = fused.find(w.info.name.substr(0, w.info.name.rfind(".lora_")));
    if (found != fused.end()) {
      staging.write(w.weight.data, [&](const Tensor& host) {
        read_fused(tensors_, found->second, w.info, c.n_routed_experts, host);
      });
      continue;
    }
    for (const StoredPart& stored : stored_parts(w.info)) {
      const Tensor to = stored.expert < 0 ? w.weight.data : w.weight.data[stored.expert];
      staging.write(to, [&](const Tensor& host) { tensors_.read(stored.name, host); });
    }
  }
}

}  // namespace fathom
