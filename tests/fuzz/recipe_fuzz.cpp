// Any bytes as a recipe, and as the value of a flag: read or refused with an Error. A recipe without a config
// of its own also gives a model's config, or an Error.
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "train/recipe.h"
#include "train/recipe_toml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  const int file = ::memfd_create("recipe", 0);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  try {
    const fathom::Recipe recipe = fathom::read_recipe("/proc/self/fd/" + std::to_string(file));
    if (recipe.model.config.empty() && recipe.model.init_from.empty()) fathom::model_config(recipe);
  } catch (const fathom::Error&) {
  }
  ::close(file);
  fathom::parse_toml_value({reinterpret_cast<const char*>(data), size});
  return 0;
}
