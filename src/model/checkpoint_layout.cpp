#include "model/checkpoint_layout.h"

#include <string_view>

namespace fathom {
namespace {

// `name` with `word` in place of `fused`.
std::string renamed(std::string name, std::string_view fused, std::string_view word) {
  return name.replace(name.rfind(fused), fused.size(), word);
}

// Of the matrix `name` [rows, C], which belongs to this expert (or to none).
void append_matrix(std::vector<StoredPart>& parts, const std::string& name, int64_t rows, int64_t columns,
                   int64_t expert) {
  constexpr std::string_view fused = "gate_up_proj";
  if (name.find(fused) == std::string::npos) {
    parts.push_back({name, {rows, columns}, rows, expert});
    return;
  }
  const int64_t width = rows / 2;
  parts.push_back({renamed(name, fused, "gate_proj"), {width, columns}, width, expert, 0});
  parts.push_back({renamed(name, fused, "up_proj"), {width, columns}, width, expert, width});
}

// Of kv_proj, whose heads' keys and values alternate.
void append_heads(std::vector<StoredPart>& parts, const WeightInfo& weight) {
  const int64_t rows = weight.shape[0] / 2, width = rows / weight.kv_heads;
  for (const bool values : {false, true})
    for (int64_t g = 0; g < weight.kv_heads; ++g)
      parts.push_back({renamed(weight.name, "kv_proj", values ? "v_proj" : "k_proj"),
                       {rows, weight.shape[1]},
                       width,
                       -1,
                       (2 * g + values) * width,
                       g * width});
}

// Of an adapter's A or B, as PEFT names them; of routed experts one by one.
void append_adapter(std::vector<StoredPart>& parts, const WeightInfo& weight) {
  constexpr std::string_view experts = ".experts.";
  const std::string name = "base_model.model." + weight.name;
  const std::vector<int64_t>& shape = weight.shape;
  if (shape.size() == 2) {
    parts.push_back({name, shape, shape[0]});
    return;
  }
  const size_t at = name.rfind(experts) + experts.size();
  for (int64_t e = 0; e < shape[0]; ++e)
    parts.push_back({name.substr(0, at) + std::to_string(weight.first_expert + e) + "." + name.substr(at),
                     {shape[1], shape[2]},
                     shape[1],
                     e});
}

}  // namespace

std::vector<StoredPart> stored_parts(const WeightInfo& weight) {
  const std::vector<int64_t>& shape = weight.shape;
  std::vector<StoredPart> parts;
  if (is_adapter(weight.kind)) {
    append_adapter(parts, weight);
  } else if (shape.size() == 1) {
    parts.push_back({weight.name, shape, shape[0]});
  } else if (weight.kv_heads > 0) {
    append_heads(parts, weight);
  } else if (shape.size() == 2) {
    append_matrix(parts, weight.name, shape[0], shape[1], -1);
  } else {
    const size_t at = weight.name.rfind('.') + 1;  // "...mlp.experts." | "gate_up_proj"
    const std::string prefix = weight.name.substr(0, at), matrix = "." + weight.name.substr(at) + ".weight";
    for (int64_t e = 0; e < shape[0]; ++e)
      append_matrix(parts, prefix + std::to_string(weight.first_expert + e) + matrix, shape[1], shape[2], e);
  }
  return parts;
}

std::vector<StoredTensor> stored_tensors(const Config& config, const StorageTypes& types) {
  std::vector<StoredTensor> all;
  for (const NamedWeight& w : list_weights(config, {}))
    if (const std::optional<DType> type = types(w.info))
      for (StoredPart& part : stored_parts(w.info))
        if (part.stored_row == 0) all.push_back({std::move(part.name), *type, std::move(part.shape)});
  return all;
}

std::vector<StoredTensor> stored_tensors(const Config& config, DType dtype) {
  return stored_tensors(config, [dtype](const WeightInfo& info) { return storage_type(info, dtype); });
}

bool is_derived(const Config& config, const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq") || (config.ties_head() && name == "lm_head.weight");
}

}  // namespace fathom
