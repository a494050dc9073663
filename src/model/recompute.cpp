#include "model/recompute.h"

#include <fmt/ranges.h>

#include <array>
#include <utility>

#include "base/error.h"

namespace fathom {

void Recompute::set_parts(const std::string& where, const std::vector<std::string>& names) {
  const std::array parts = {std::pair{"norms", &Recompute::norms}, std::pair{"swiglu", &Recompute::swiglu},
                            std::pair{"up_projections", &Recompute::up_projections},
                            std::pair{"attention", &Recompute::attention},
                            std::pair{"dispatch", &Recompute::dispatch}};
  for (const std::string& name : names) {
    bool known = false;
    for (const auto& [part, member] : parts)
      if (name == part) this->*member = known = true;
    check(known, "{}: '{}' is not one of norms, swiglu, up_projections, attention and dispatch", where, name);
  }
}

}  // namespace fathom
