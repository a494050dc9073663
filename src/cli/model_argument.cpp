#include "cli/model_argument.h"

#include <filesystem>

#include "base/error.h"
#include "model/adapter_config.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// " (out/base)", where the adapter says.
std::string beneath(const std::string& adapter) {
  const std::string base = adapter_base(adapter);
  return base.empty() ? "" : " (" + base + ")";
}

std::string model_folder_below(const fs::path& folder, const std::string& file) {
  std::error_code error;
  if (fs::exists(folder / "model" / file, error)) return (folder / "model").string();
  std::string latest;  // the step's number has leading zeros
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    if (it->path().filename().string().starts_with("step-") && fs::exists(it->path() / file) && path > latest)
      latest = path;
  }
  return latest;
}

}  // namespace

void check_model_folder(const std::string& path, const std::string& file) {
  std::error_code ignored;
  const fs::path folder = path;
  if (!fs::is_directory(folder, ignored) || fs::exists(folder / file, ignored)) return;
  if (file == "config.json" && is_adapter_folder(path))
    fail("{}: not a model folder but an adapter's: name the model beneath it{}, and this one as the adapter",
         path, beneath(path));
  const std::string meant = model_folder_below(folder, file);
  fail("{}: not a model folder, it holds no {}{}", path, file,
       meant.empty() ? "" : ": did you mean " + meant + "?");
}

}  // namespace fathom
