// A library of the manufacturer's that is loaded at run time, so that fathom starts where it is not
// installed.
#pragma once
#include <string>
#include <vector>

namespace fathom::cuda {

class SharedLibrary {
 public:
  // Loads the first of `paths` that is there. An Error that says `missing`, and why the first was not loaded.
  // `name` and the `version` that is needed stand in the errors of find(). Never closed: unloading CUDA
  // libraries at exit is not safe.
  SharedLibrary(std::string name, std::string version, const std::string& missing,
                const std::vector<std::string>& paths);

  // Error if there is no such function.
  template <class Function>
  void find(const char* symbol, Function& function) const {
    function = reinterpret_cast<Function>(address_of(symbol));
  }

 private:
  void* address_of(const char* symbol) const;

  std::string name_, version_;
  void* library_ = nullptr;
};

}  // namespace fathom::cuda
