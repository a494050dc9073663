// Any bytes as the index of a checkpoint whose one shard is sound: refused with an Error, or every tensor
// that it lists is there.
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/error.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"

namespace {

// A folder with the shard, for as long as the process runs.
struct Folder {
  const std::string path = "/tmp/fathom_index_fuzz_" + std::to_string(::getpid());

  Folder() {
    std::filesystem::create_directory(path);
    float values[2] = {1, 2};
    const fathom::Tensor tensor(values, fathom::DType::f32, {1});
    const fathom::NamedTensor tensors[] = {{"a", tensor}, {"b", tensor}};
    fathom::write_safetensors(path + "/model-00001-of-00001.safetensors", tensors);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

const std::string& folder() {
  static const Folder folder;
  return folder.path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spdlog::set_level(spdlog::level::off);
  const std::string index = folder() + "/model.safetensors.index.json";
  std::FILE* file = std::fopen(index.c_str(), "wb");
  if (!file || std::fwrite(data, 1, size, file) != size) std::abort();
  std::fclose(file);
  try {
    const fathom::CheckpointReader checkpoint(folder());
    for (const std::string& name : checkpoint.names())
      if (!checkpoint.find(name)) std::abort();
  } catch (const fathom::Error&) {
  }
  return 0;
}
