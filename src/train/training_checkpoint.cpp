#include "train/training_checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "model/model_folder.h"
#include "train/checksums.h"
#include "train/optimizer_file.h"

namespace fathom {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view prefix = "step-";
constexpr const char* optimizer_file = "optimizer.safetensors";
constexpr const char* chat_template_file = "chat_template.jinja";
constexpr std::array tokenizer_files = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        chat_template_file};

// Why the folder is no whole checkpoint (a copy that stopped half-way, say); empty: it is one. An Error of
// any of its files is what is asked for here, so it is caught here.
std::string damage_of(const std::string& checkpoint) {
  try {
    read_json(file_in(checkpoint, "trainer.json"));
    read_config(checkpoint);
    const CheckpointReader weights(checkpoint), optimizer(file_in(checkpoint, optimizer_file));
  } catch (const Error& e) {
    return e.what();
  }
  return {};
}

// The same, at a glance.
bool looks_whole(const std::string& checkpoint) {
  return fs::exists(file_in(checkpoint, "trainer.json")) && fs::exists(file_in(checkpoint, optimizer_file));
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

void copy_tokenizer(const TokenizerFolder& from, const std::string& to) {
  if (from.path.empty()) return;
  for (const char* name : tokenizer_files)
    if (const std::string path = file_in(from.path, name); fs::is_regular_file(path))
      write_file(file_in(to, name), read_file(path));
  if (!from.chat_template.empty())
    write_file(file_in(to, chat_template_file), read_file(from.chat_template));
}

FilePatterns model_names() {
  FilePatterns files = model_folder_files();
  files.insert(files.end(), tokenizer_files.begin(), tokenizer_files.end());
  return files;
}

FilePatterns checkpoint_names() {
  FilePatterns files = model_names();
  files.insert(files.end(), {optimizer_file, "trainer.json", checksums_file});
  return files;
}

// A model folder with the tokenizer's files.
FolderContent model_content(const std::string& dir, const Config& config, DType dtype,
                            const TokenizerFolder& tokenizer) {
  CheckpointFiles weights = weight_files(config, dtype);
  FolderContent content = {.destination = dir, .names = model_names(), .files = weights.files};
  content.write_others = [=, weights = std::move(weights)](const std::string& folder, const FileChecksums&) {
    write_index(folder, weights);
    write_config_files(folder, config, dtype);
    copy_tokenizer(tokenizer, folder);
  };
  return content;
}

// What a checkpoint was made with, and what the recipe says now.
struct Difference {
  std::string key, then, now;
};

// Keys that a checkpoint of an earlier release does not have stand for their defaults.
std::vector<Difference> differing_keys(const Json& made_with, const Recipe& recipe) {
  const OrderedJson defaults = recipe_to_json(Recipe()), now = recipe_to_json(recipe);
  std::vector<Difference> found;
  for (const RecipeKey& key : recipe_keys(recipe.task)) {
    if (key.on_resume == OnResume::free || !now.contains(key.name)) continue;
    const std::string value = now[key.name].dump(), then = made_with.contains(key.name)
                                                               ? OrderedJson(made_with[key.name]).dump()
                                                               : defaults[key.name].dump();
    if (then != value) found.push_back({key.name, then, value});
  }
  return found;
}

std::vector<Difference> differing_fields(const Config& made_with, const Config& config) {
  const OrderedJson then = config_to_json(made_with, ""), now = config_to_json(config, "");
  std::vector<Difference> found;
  for (const auto& [key, value] : now.items())
    if (then[key] != value) found.push_back({"model." + key, then[key].dump(), value.dump()});
  return found;
}

bool may_change(const std::string& key) {
  for (const RecipeKey& known : recipe_keys())
    if (known.name == key) return known.on_resume == OnResume::by_request;
  return false;
}

// "trainer.json has optimizer.lr = 0.003, now 0.001, ..."; takes out what may differ.
std::string refused(const char* file, std::vector<Difference>& differences,
                    const std::vector<std::string>& changes) {
  std::erase_if(differences, [&](const Difference& d) {
    const bool allowed = std::find(changes.begin(), changes.end(), d.key) != changes.end();
    if (allowed) log::info("{} = {} from here on; it was {}", d.key, d.now, d.then);
    return allowed;
  });
  std::string text;
  for (const Difference& d : differences)
    text += fmt::format("{}{} = {}, now {}", text.empty() ? std::string(file) + " has " : ", ", d.key, d.then,
                        d.now);
  return text;
}

// What the user can do about keys that differ.
std::string advice(const std::vector<Difference>& differences) {
  std::string changeable, others;
  for (const Difference& d : differences) (may_change(d.key) ? changeable : others) += " " + d.key;
  if (others.empty()) return "to continue with the new values: --resume-with" + changeable;
  return fmt::format("in a run,{} cannot change: model.init_from starts another one", others);
}

}  // namespace

void check_recipe(const std::string& checkpoint, const Recipe& recipe, const Config& config,
                  const std::vector<std::string>& changes) {
  const std::string path = file_in(checkpoint, "trainer.json");
  const Json json = read_trainer_json(path);
  std::vector<Difference> keys = differing_keys(JsonObject(json, path).required<Json>("recipe"), recipe),
                          fields = differing_fields(read_config(checkpoint), config);
  const std::string of_keys = refused("trainer.json", keys, changes),
                    of_fields = refused("config.json", fields, changes);
  if (keys.empty() && fields.empty()) return;
  keys.insert(keys.end(), fields.begin(), fields.end());
  fail("{}: made with other settings: {}{}{}; {}", checkpoint, of_keys,
       of_keys.empty() || of_fields.empty() ? "" : "; ", of_fields, advice(keys));
}

std::optional<std::string> latest_checkpoint(const std::string& output) {
  auto all = checkpoints_in(output);
  for (; !all.empty(); all.pop_back()) {
    const std::string& folder = all.back().second;
    const std::string why = damage_of(folder);
    if (why.empty()) return folder;
    log::warn("{}: not a whole checkpoint: {}", folder, why);
  }
  return std::nullopt;
}

std::optional<std::string> any_checkpoint(const std::string& output) {
  auto all = checkpoints_in(output);
  std::erase_if(all, [](const auto& one) { return fs::is_empty(one.second); });
  if (all.empty()) return std::nullopt;
  return all.back().second;
}

std::string checkpoint_folder(const std::string& output, int64_t step) {
  return file_in(output, fmt::format("{}{:08}", prefix, step));
}

FolderContent checkpoint_content(const Recipe& recipe, const RunState& state, const Config& config,
                                 const TokenizerFolder& tokenizer) {
  const std::string& output = recipe.run.output;
  const DType dtype = recipe.run.precision;
  FolderContent content = model_content(checkpoint_folder(output, state.step), config, dtype, tokenizer);
  content.names = checkpoint_names();
  content.files.push_back({optimizer_file, optimizer_tensors(config, dtype)});
  content.write_others = [=, write_model_files = std::move(content.write_others)](
                             const std::string& folder, const FileChecksums& checksums) {
    write_model_files(folder, checksums);
    write_checksums(folder, checksums);
    write_run_state(file_in(folder, "trainer.json"), state, recipe);
  };
  content.when_in_place = [=] { prune_checkpoints(output, recipe.checkpoint.keep, state.step); };
  return content;
}

std::vector<TensorSlice> checkpoint_slices(const Optimizer& optimizer) {
  std::vector<TensorSlice> slices = optimizer.weight_slices();
  for (TensorSlice& slice : optimizer.slices()) slices.push_back(std::move(slice));
  return slices;
}

RunState load_checkpoint(Communicator& ranks, const Device& device, const std::string& checkpoint,
                         Model& model, Optimizer& optimizer) {
  RunState state = read_run_state(file_in(checkpoint, "trainer.json"));
  verify_checksums(ranks, checkpoint, device.threads());
  load_weights(device, model.config, model.weights, CheckpointReader(checkpoint), model.part);
  optimizer.load(device, file_in(checkpoint, optimizer_file));
  return state;
}

void prune_checkpoints(const std::string& output, int64_t keep, int64_t newest) {
  auto all = checkpoints_in(output);
  int64_t whole = 0;
  for (; !all.empty(); all.pop_back()) {
    const auto& [step, folder] = all.back();
    if (step > newest) continue;
    if (whole >= std::max<int64_t>(keep, 1))
      remove_folder(folder, checkpoint_names());
    else
      whole += looks_whole(folder);
  }
}

void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const Config& config, DType dtype, const std::vector<TensorSlice>& slices,
                       const TokenizerFolder& tokenizer) {
  CheckpointWriter(ranks, device, model_content(dir, config, dtype, tokenizer), slices).finish();
}

void sweep_output(const std::string& output) {
  sweep_leftovers(output, checkpoint_names());
}

}  // namespace fathom
