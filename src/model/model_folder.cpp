#include "model/model_folder.h"

#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "io/atomic_folder.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "model/adapter_folder.h"
#include "model/checkpoint_check.h"
#include "model/checkpoint_layout.h"
#include "model/score.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

constexpr int64_t largest_shard = int64_t{5} << 30;
const std::string config_file_name = "config.json", generation_file_name = "generation_config.json";

// The parts that a checkpoint has of one weight of ours.
std::vector<CheckpointPart> parts_of(const NamedWeight& w) {
  std::vector<CheckpointPart> parts;
  for (const StoredPart& part : stored_parts(w.info)) {
    const Tensor whole = part.expert < 0 ? w.weight.data : w.weight.data[part.expert];
    parts.push_back({part.name, part.rows == whole.shape[0] ? whole : whole.slice(part.first_row, part.rows),
                     part.stored_row * part.columns()});
  }
  return parts;
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

std::vector<CheckpointPart> checkpoint_parts(const Config& config, const Weights& weights,
                                             const ModelPart& part) {
  std::vector<CheckpointPart> all;
  for (const NamedWeight& w : list_weights(config, weights, part))
    if (w.weight)
      for (CheckpointPart& stored : parts_of(w)) all.push_back(std::move(stored));
  return all;
}

std::vector<NamedTensor> checkpoint_tensors(const Config& config, const Weights& weights) {
  std::vector<NamedTensor> all;
  assert(config.is_mla());
  for (const CheckpointPart& part : checkpoint_parts(config, weights))
    all.push_back({part.name, part.tensor});
  return all;
}

std::vector<TensorSlice> slices_of_parts(const std::vector<CheckpointPart>& parts) {
  std::vector<TensorSlice> slices;
  for (const CheckpointPart& part : parts) slices.push_back({part.name, part.first, part.tensor});
  return slices;
}

void load_weights(const Device& device, const Config& config, Weights& weights,
                  const CheckpointReader& checkpoint, const ModelPart& part) {
  const Config base = without_adapters(config);
  check_checkpoint(base, checkpoint);
  Staging staging(device);
  Roundings roundings;
  auto load = [&](const std::string& name, const Tensor& to, const auto& read) {
    staging.write(to, read);
    roundings.add(name, checkpoint.entry(name)->view.dtype, to.dtype);
  };
  for (const NamedWeight& w : list_weights(base, weights, part)) {
    const std::string& name = w.info.name;
    const Tensor& to = w.weight.data;
    if (!to) continue;
    if (to.rank == 3 && checkpoint.entry(name))
      load(name, to, [&](const Tensor& host) {
        checkpoint.read_elements(name, w.info.first_expert * to[0].count(), host);
      });
    else
      for (const CheckpointPart& stored : parts_of(w))
        load(stored.name, stored.tensor,
             [&](const Tensor& host) { checkpoint.read_elements(stored.name, stored.first, host); });
  }
  roundings.say(checkpoint.path());
}

Model load_model(const Device& device, const std::string& dir, std::optional<DType> dtype) {
  const Config config = read_config(dir);
  const CheckpointReader checkpoint(dir);
  Model model = make_model(device, config, dtype ? *dtype : bulk_dtype(checkpoint));
  load_weights(device, config, model.weights, checkpoint);
  return model;
}

Model load_model(const Device& device, const std::string& dir, const std::string& adapter,
                 std::optional<DType> dtype) {
  const Config config = with_adapter(read_config(dir), adapter);
  Model model = make_model(device, config, dtype ? *dtype : bulk_dtype(CheckpointReader(dir)));
  start_from_folder(device, config, model.weights, dir);
  load_adapter(device, config, model.weights, adapter);
  return model;
}

FilePatterns model_folder_files() {
  FilePatterns files = checkpoint_file_patterns();
  files.insert(files.end(), {config_file_name, generation_file_name});
  return files;
}

CheckpointFiles weight_files(const Config& config, DType dtype) {
  return checkpoint_files(stored_tensors(without_adapters(config), dtype), largest_shard);
}

void write_config_files(const std::string& dir, const Config& config, DType dtype) {
  const OrderedJson json = config_to_json(config, dtype == DType::bf16 ? "bfloat16" : "float32");
  const OrderedJson generation = {{"bos_token_id", json["bos_token_id"]},
                                  {"eos_token_id", json["eos_token_id"]}};
  write_file(file_in(dir, generation_file_name), generation.dump(2) + "\n");
  write_file(file_in(dir, config_file_name), json.dump(2) + "\n");
}

std::string config_dtype(const std::string& path) {
  const Json json = read_json(path);
  const JsonObject o(json, path);
  return o.optional<std::string>("dtype", o.optional<std::string>("torch_dtype", "bfloat16"));
}

namespace {

const FilePatterns files_beside = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                   "chat_template.jinja"};

void copy_files(const std::string& from, const std::string& to, const FilePatterns& files) {
  for (const std::string& name : names_in(from)) {
    if (!matches(files, name)) continue;
    std::error_code error;
    std::filesystem::copy_file(file_in(from, name), file_in(to, name),
                               std::filesystem::copy_options::overwrite_existing, error);
    check(!error, "{}: cannot be copied to {}: {}", file_in(from, name), to, error.message());
  }
}

FilePatterns joined(FilePatterns a, const FilePatterns& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

void copy_model(const std::string& from, const std::string& to, const Config& config) {
  check_checkpoint(config, CheckpointReader(from));
  const std::string dtype = config_dtype(file_in(from, config_file_name));

  const FilePatterns files = joined(model_folder_files(), files_beside);
  AtomicFolder folder(to, files);
  copy_files(from, folder.path(), files);
  write_file(file_in(folder.path(), config_file_name), config_to_json(config, dtype).dump(2) + "\n");
  folder.commit();
}

void save_model(const Device& device, const std::string& dir, const Model& model, const std::string& beside,
                const std::string& adapter) {
  assert(!model.config.lora);  // save_adapter writes those; merge_adapters brings them into the weights
  const CheckpointFiles weights = weight_files(model.config, model.dtype);
  AtomicFolder folder(dir,
                      beside.empty() ? model_folder_files() : joined(model_folder_files(), files_beside));
  write_tensors(device, folder.path(), weights.files,
                slices_of_parts(checkpoint_parts(model.config, model.weights)));
  write_index(folder.path(), weights);
  write_config_files(folder.path(), model.config, model.dtype);
  if (!beside.empty()) copy_files(beside, folder.path(), joined({generation_file_name}, files_beside));
  if (!adapter.empty()) copy_files(adapter, folder.path(), files_beside);
  folder.commit();
}

}  // namespace fathom
