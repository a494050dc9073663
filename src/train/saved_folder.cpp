#include "train/saved_folder.h"

#include <array>
#include <filesystem>

#include "io/descriptor.h"
#include "io/file.h"
#include "model/adapter_folder.h"
#include "model/model_folder.h"

namespace fathom {
namespace {

constexpr const char* chat_template_file = "chat_template.jinja";
constexpr std::array tokenizer_files = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                        chat_template_file};

void copy_tokenizer(const TokenizerFolder& from, const std::string& to) {
  if (from.path.empty()) return;
  for (const char* name : tokenizer_files)
    if (const std::string path = file_in(from.path, name); std::filesystem::is_regular_file(path))
      write_file(file_in(to, name), read_file(path));
  if (!from.chat_template.empty()) write_file(file_in(to, chat_template_file), read_file(from.chat_template));
}

FolderContent model_content(const SavedModel& m) {
  CheckpointFiles weights = weight_files(m.config, m.dtype);
  FolderContent content{.destination = {}, .names = {}, .files = weights.files};
  content.write_others = [m, weights = std::move(weights)](const std::string& folder, const FileChecksums&) {
    write_index(folder, weights);
    write_config_files(folder, m.config, m.dtype);
    copy_tokenizer(m.tokenizer, folder);
  };
  return content;
}

FolderContent adapter_content(const SavedModel& m) {
  FolderContent content{.destination = {}, .names = {}, .files = adapter_files(m.config, m.dtype).files};
  content.write_others = [m](const std::string& folder, const FileChecksums&) {
    write_adapter_config(folder, m.config, m.base);
    copy_tokenizer(m.tokenizer, folder);
  };
  return content;
}

}  // namespace

FilePatterns saved_names() {
  FilePatterns files = model_folder_files();
  for (const std::string& name : adapter_folder_files()) files.push_back(name);
  files.insert(files.end(), tokenizer_files.begin(), tokenizer_files.end());
  return files;
}

FolderContent saved_content(const std::string& dir, const SavedModel& model) {
  FolderContent content = model.config.lora ? adapter_content(model) : model_content(model);
  content.destination = dir, content.names = saved_names();
  return content;
}

void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const SavedModel& model, const std::vector<TensorSlice>& slices) {
  CheckpointWriter(ranks, device, saved_content(dir, model), slices).finish();
}

}  // namespace fathom
