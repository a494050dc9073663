#include "train/staged_folder.h"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

bool is_shard(std::string_view name) {
  return (name.starts_with("train-") || name.starts_with("val-")) && name.ends_with(".safetensors");
}

// Sorted, so that train-00000 stands before every other training shard; it is the one that must go first.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->is_regular_file(error)) names.push_back(it->path().filename().string());
  check(!error, "{}: cannot list the folder: {}", folder, error.message());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

StagedFolder::StagedFolder(std::string out) : out_(std::move(out)) {
  std::error_code error;
  made_out_ = fs::create_directories(out_, error);
  check(!error, "{}: cannot make the folder: {}", out_, error.message());
  std::string pattern = out_ + "/.prepare-XXXXXX";
  const char* made = ::mkdtemp(pattern.data());
  check(made != nullptr, "{}: cannot write into the folder: {}", out_, std::strerror(errno));
  staging_ = pattern;
}

StagedFolder::~StagedFolder() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
  if (made_out_) fs::remove(out_, ignored);  // succeeds only while it is empty
}

void StagedFolder::publish() {
  std::vector<std::string> staged = names_in(staging_);
  for (const std::string& name : names_in(out_))
    if (is_shard(name)) fs::remove(out_ + "/" + name);
  std::reverse(staged.begin(), staged.end());
  std::stable_partition(staged.begin(), staged.end(),
                        [](const std::string& name) { return !name.starts_with("train-"); });
  for (const std::string& name : staged) {
    std::error_code error;
    fs::rename(staging_ + "/" + name, out_ + "/" + name, error);
    check(!error, "{}/{}: cannot put it in place: {}", out_, name, error.message());
  }
}

}  // namespace fathom
