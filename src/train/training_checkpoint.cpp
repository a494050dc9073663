#include "train/training_checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "io/atomic_folder.h"
#include "io/checkpoint.h"
#include "io/file.h"
#include "model/model_folder.h"

namespace fathom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "step-";
constexpr int64_t format_version = 1;
constexpr std::array tokenizer_files = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"};

std::string file_in(const std::string& dir, const char* name) {
  return (fs::path(dir) / name).string();
}

// Checkpoint folders with their steps, oldest first.
std::vector<std::pair<int64_t, std::string>> checkpoints_in(const std::string& output) {
  std::vector<std::pair<int64_t, std::string>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(output, error)) {
    const std::string name = entry.path().filename().string();
    const std::string digits = name.starts_with(prefix) ? name.substr(prefix.size()) : "";
    const bool number =
        !digits.empty() && digits.size() < 19 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (number && entry.is_directory()) found.emplace_back(std::stoll(digits), entry.path().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void copy_tokenizer(const std::string& from, const std::string& to) {
  for (const char* name : tokenizer_files)
    if (const std::string path = file_in(from, name); fs::is_regular_file(path))
      write_file(file_in(to, name), read_file(path));
}

void write_model(const Device& device, const std::string& dir, const Model& model,
                 const std::string& tokenizer_dir) {
  save_model(device, dir, model);
  copy_tokenizer(tokenizer_dir, dir);
}

FilePatterns model_files() {
  FilePatterns files = model_folder_files();
  files.insert(files.end(), tokenizer_files.begin(), tokenizer_files.end());
  return files;
}

FilePatterns checkpoint_files() {
  FilePatterns files = model_files();
  files.insert(files.end(), {"optimizer.safetensors", "trainer.json"});
  return files;
}

// Error naming the first key that differs.
void check_same(const std::string& where, const Json& made_with, const Json& now) {
  for (const auto& [key, value] : now.items()) {
    const Json then = made_with.contains(key) ? made_with[key] : Json();
    check(then == value, "{}: made with {} = {}, but now it is {}", where, key, then.dump(), value.dump());
  }
}

Json config_fields(const Config& config) {
  Json fields;
  const OrderedJson all = config_to_json(config, "");
  for (const auto& [key, value] : all.items()) fields["model." + key] = value;
  return fields;
}

Json shaping_keys(const Recipe& recipe) {
  const OrderedJson all = recipe_to_json(recipe);
  Json shaping = Json::object();
  for (const RecipeKey& key : recipe_keys())
    if (key.shapes_result && all.contains(key.name)) shaping[key.name] = Json::parse(all[key.name].dump());
  return shaping;
}

}  // namespace

std::optional<std::string> latest_checkpoint(const std::string& output) {
  const auto all = checkpoints_in(output);
  if (all.empty()) return std::nullopt;
  return all.back().second;
}

std::string checkpoint_folder(const std::string& output, int64_t step) {
  return (fs::path(output) / fmt::format("{}{:08}", prefix, step)).string();
}

void save_checkpoint(const Device& device, const std::string& output, const Recipe& recipe,
                     const RunState& state, const Model& model, const Optimizer& optimizer,
                     const std::string& tokenizer_dir) {
  AtomicFolder folder(checkpoint_folder(output, state.step), checkpoint_files());
  write_model(device, folder.path(), model, tokenizer_dir);
  write_safetensors(file_in(folder.path(), "optimizer.safetensors"), optimizer.tensors(), {}, &device);
  const OrderedJson trainer = {{"format", format_version},         {"step", state.step},
                               {"tokens", state.tokens},           {"windows_read", state.windows_read},
                               {"data_tokens", state.data_tokens}, {"recipe", recipe_to_json(recipe)}};
  write_file(file_in(folder.path(), "trainer.json"), trainer.dump(2) + "\n");
  folder.commit();
}

RunState load_checkpoint(const Device& device, const std::string& checkpoint, const Recipe& recipe,
                         Model& model, Optimizer& optimizer) {
  const std::string path = file_in(checkpoint, "trainer.json");
  const Json json = read_json(path);
  const JsonObject o(json, path);
  const auto format = o.required<int64_t>("format");
  check(format == format_version, "{}: format {} is not known: expected {}", path, format, format_version);
  check_same(path, o.required<Json>("recipe"), shaping_keys(recipe));
  check_same(file_in(checkpoint, "config.json"), config_fields(read_config(checkpoint)),
             config_fields(model.config));

  load_weights(device, model.config, model.weights, CheckpointReader(checkpoint));
  optimizer.load(device, file_in(checkpoint, "optimizer.safetensors"));
  const RunState state = {o.required<int64_t>("step"), o.required<int64_t>("tokens"),
                          o.required<int64_t>("windows_read"), o.required<int64_t>("data_tokens")};
  check(state.step >= 0 && state.tokens >= 0 && state.windows_read >= 0, "{}: negative counters", path);
  return state;
}

void prune_checkpoints(const std::string& output, int64_t keep) {
  const auto all = checkpoints_in(output);
  const auto kept = static_cast<size_t>(std::max<int64_t>(keep, 1));
  for (size_t i = 0; i + kept < all.size(); ++i) remove_folder(all[i].second, checkpoint_files());
}

void save_model_folder(const Device& device, const std::string& dir, const Model& model,
                       const std::string& tokenizer_dir) {
  AtomicFolder folder(dir, model_files());
  write_model(device, folder.path(), model, tokenizer_dir);
  folder.commit();
}

void sweep_output(const std::string& output) {
  sweep_leftovers(output, checkpoint_files());
}

}  // namespace fathom
