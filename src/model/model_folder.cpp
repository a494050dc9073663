#include "model/model_folder.h"

#include <filesystem>
#include <unordered_set>

#include "base/error.h"
#include "base/log.h"
#include "io/file.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

constexpr int64_t largest_shard = int64_t{5} << 30;
constexpr std::string_view fused = "gate_up_proj";
constexpr std::string_view head = "lm_head.weight", embedding = "model.embed_tokens.weight";

// prefix + "gate_proj" + suffix and prefix + "up_proj" + suffix: the two halves of a [2*width, C] matrix.
void append_halves(std::vector<CheckpointPart>& out, const std::string& name, const Tensor& gate_up) {
  const size_t at = name.rfind(fused);
  const std::string prefix = name.substr(0, at), suffix = name.substr(at + fused.size());
  const int64_t width = gate_up.shape[0] / 2;
  out.push_back({prefix + "gate_proj" + suffix, gate_up.slice(0, width)});
  out.push_back({prefix + "up_proj" + suffix, gate_up.slice(width, width)});
}

bool is_gate_up(const std::string& name) {
  return name.find(fused) != std::string::npos;
}

void append_experts(std::vector<CheckpointPart>& out, const std::string& name, const Tensor& experts) {
  const size_t at = name.rfind('.') + 1;  // "...mlp.experts." | "gate_up_proj"
  for (int64_t e = 0; e < experts.shape[0]; ++e) {
    const std::string expert = name.substr(0, at) + std::to_string(e) + "." + name.substr(at) + ".weight";
    if (is_gate_up(name))
      append_halves(out, expert, experts[e]);
    else
      out.push_back({expert, experts[e]});
  }
}

// What one tensor of ours is called in a checkpoint: usually one name, for gate_up two, for experts E or 2E.
std::vector<CheckpointPart> parts_of(const NamedWeight& w) {
  std::vector<CheckpointPart> parts;
  if (w.weight.data.rank == 3)
    append_experts(parts, w.info.name, w.weight.data);
  else if (is_gate_up(w.info.name))
    append_halves(parts, w.info.name, w.weight.data);
  else
    parts.push_back({w.info.name, w.weight.data});
  return parts;
}

// Buffers that old checkpoints carry and that follow from the config; and the head of a tied model, stored
// twice.
bool is_derived(const Config& config, const std::string& name) {
  return name.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && name == head);
}

// A tied model has no head of its own; one that is stored and differs was meant for something else.
void warn_of_stale_head(const Config& config, const CheckpointReader& checkpoint) {
  if (!config.tie_word_embeddings || !checkpoint.entry(head)) return;
  if (!checkpoint.same(head, embedding))
    log::warn("{}: tensor '{}' is ignored: tie_word_embeddings is true, and it differs from '{}'",
              checkpoint.path(), head, embedding);
}

// Whether values of `from` may lie between those of `to`.
bool is_rounded(DType from, DType to) {
  return from != to && to != DType::f64 && (to != DType::f32 || from == DType::f64);
}

// Tensors that lose precision while they are loaded.
class Roundings {
 public:
  void add(const std::string& name, DType from, DType to) {
    if (is_rounded(from, to) && count_++ == 0)
      first_ = fmt::format("'{}', {} to {}", name, name_of(from), name_of(to));
  }
  void say(const std::string& where) const {
    if (count_ > 0)
      log::warn(
          "{}: tensors stored more precisely than the model keeps them, and rounded: {}, the first of them "
          "{}",
          where, count_, first_);
  }

 private:
  int64_t count_ = 0;
  std::string first_;
};

// The type that most elements are stored in. Small tensors of another type (routers, norms) do not decide.
DType bulk_dtype(const CheckpointReader& checkpoint) {
  int64_t bf16 = 0, others = 0;
  for (const std::string& name : checkpoint.names()) {
    const ConstTensor& view = checkpoint.entry(name)->view;
    (view.dtype == DType::bf16 ? bf16 : others) += view.count();
  }
  return bf16 > others ? DType::bf16 : DType::f32;
}

}  // namespace

std::vector<CheckpointPart> checkpoint_parts(const Config& config, const Weights& weights) {
  std::vector<CheckpointPart> all;
  for (const NamedWeight& w : list_weights(config, weights))
    if (w.weight)
      for (CheckpointPart& part : parts_of(w)) all.push_back(std::move(part));
  return all;
}

std::vector<NamedTensor> checkpoint_tensors(const Config& config, const Weights& weights) {
  std::vector<NamedTensor> all;
  for (const CheckpointPart& part : checkpoint_parts(config, weights))
    all.push_back({part.name, part.tensor});
  return all;
}

void load_weights(const Device& device, const Config& config, Weights& weights,
                  const CheckpointReader& checkpoint) {
  std::unordered_set<std::string> used;
  Staging staging(device);
  Roundings roundings;
  auto load = [&](const CheckpointPart& part) {
    staging.write(part.tensor, [&](const Tensor& host) { checkpoint.read(part.name, host); });
    roundings.add(part.name, checkpoint.entry(part.name)->view.dtype, part.tensor.dtype);
    used.insert(part.name);
  };
  for (const NamedWeight& w : list_weights(config, weights)) {
    if (w.weight.data.rank == 3 && checkpoint.entry(w.info.name))
      load({w.info.name, w.weight.data});
    else
      for (const CheckpointPart& part : parts_of(w)) load(part);
  }
  for (const std::string& name : checkpoint.names())
    check(used.contains(name) || is_derived(config, name), "{}: tensor '{}' is not part of this model",
          checkpoint.path(), name);
  roundings.say(checkpoint.path());
  warn_of_stale_head(config, checkpoint);
}

Model load_model(const Device& device, const std::string& dir, std::optional<DType> dtype) {
  const Config config = read_config(dir);
  const CheckpointReader checkpoint(dir);
  Model model = make_model(device, config, dtype ? *dtype : bulk_dtype(checkpoint));
  load_weights(device, config, model.weights, checkpoint);
  return model;
}

FilePatterns model_folder_files() {
  return {"config.json", "generation_config.json", "model.safetensors", "model-*-of-*.safetensors",
          "model.safetensors.index.json"};
}

FileChecksums save_model(const Device& device, const std::string& dir, const Model& model) {
  const auto path = [&](const char* file) { return (std::filesystem::path(dir) / file).string(); };
  FileChecksums checksums = write_sharded(dir, checkpoint_tensors(model.config, model.weights), largest_shard, &device);
  const std::string dtype = model.dtype == DType::bf16 ? "bfloat16" : "float32";
  const OrderedJson json = config_to_json(model.config, dtype);
  const OrderedJson generation = {{"bos_token_id", json["bos_token_id"]},
                                  {"eos_token_id", json["eos_token_id"]}};
  write_file(path("generation_config.json"), generation.dump(2) + "\n");
  write_file(path("config.json"), json.dump(2) + "\n");
  return checksums;
}

}  // namespace fathom
