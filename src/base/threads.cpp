#include "base/threads.h"

namespace fathom {

int hardware_threads() {
  return omp_get_max_threads();
}

}  // namespace fathom
