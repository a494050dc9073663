#include "comm/mpi/progress.h"

#include <algorithm>

namespace fathom::mpi {

void Progress::wait(MpiOperation& operation) {
  if (watch_) watch_->begin_wait();
  while (std::find(active_.begin(), active_.end(), &operation) != active_.end()) {
    std::erase_if(active_, [](MpiOperation* o) { return o->advance(); });
    if (watch_) watch_->look();
  }
}

MpiOperation::~MpiOperation() {
  std::erase(progress_.active_, this);
}

}  // namespace fathom::mpi
