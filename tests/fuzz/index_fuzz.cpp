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

const std::string& folder() {
  static const std::string name = [] {
    const std::string dir = "/tmp/fathom_index_fuzz_" + std::to_string(::getpid());
    std::filesystem::create_directory(dir);
    float values[2] = {1, 2};
    const fathom::Tensor tensor(values, fathom::DType::f32, {1});
    const fathom::NamedTensor tensors[] = {{"a", tensor}, {"b", tensor}};
    fathom::write_safetensors(dir + "/model-00001-of-00001.safetensors", tensors);
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return dir;
  }();
  return name;
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
