#include "train/saved_folder.h"

#include <array>
#include <filesystem>

#include "io/descriptor.h"
#include "io/file.h"
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
  if (!from.chat_template.empty())
    write_file(file_in(to, chat_template_file), read_file(from.chat_template));
}

}  // namespace

FilePatterns saved_names() {
  FilePatterns files = model_folder_files();
  files.insert(files.end(), tokenizer_files.begin(), tokenizer_files.end());
  return files;
}

FolderContent saved_content(const std::string& dir, const Config& config, DType dtype,
                            const TokenizerFolder& tokenizer) {
  CheckpointFiles weights = weight_files(config, dtype);
  FolderContent content = {.destination = dir, .names = saved_names(), .files = weights.files};
  content.write_others = [=, weights = std::move(weights)](const std::string& folder, const FileChecksums&) {
    write_index(folder, weights);
    write_config_files(folder, config, dtype);
    copy_tokenizer(tokenizer, folder);
  };
  return content;
}

void save_model_folder(Communicator& ranks, const Device& device, const std::string& dir,
                       const Config& config, DType dtype, const std::vector<TensorSlice>& slices,
                       const TokenizerFolder& tokenizer) {
  CheckpointWriter(ranks, device, saved_content(dir, config, dtype, tokenizer), slices).finish();
}

}  // namespace fathom
