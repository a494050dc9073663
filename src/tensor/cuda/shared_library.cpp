#include "tensor/cuda/shared_library.h"

#include <dlfcn.h>

#include <utility>

#include "base/error.h"

namespace fathom::cuda {

SharedLibrary::SharedLibrary(std::string name, std::string version, const std::string& missing,
                             const std::vector<std::string>& paths)
    : name_(std::move(name)), version_(std::move(version)) {
  std::string why;  // of the first path: the most telling
  for (const std::string& path : paths) {
    library_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library_) return;
    if (const char* error = dlerror(); error && why.empty()) why = error;
  }
  fail("{}: {}", missing, why);
}

void* SharedLibrary::address_of(const char* symbol) const {
  void* address = dlsym(library_, symbol);
  check(address != nullptr, "{} has no {}: version {} is needed", name_, symbol, version_);
  return address;
}

}  // namespace fathom::cuda
