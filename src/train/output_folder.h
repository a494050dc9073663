// A run's output folder, as all its ranks find it: rank 0 looks after it and tells the others.
#pragma once
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "io/folder_lock.h"

namespace fathom {

class OutputFolder {
 public:
  // Every rank calls it. Locks the folder, removes what killed processes left in it and looks for the
  // newest whole checkpoint. Error when there is a checkpoint and `resume` is false, or none and it is true,
  // or when another run holds the lock.
  OutputFolder(Communicator& ranks, const std::string& output, bool resume);

  // The checkpoint to continue from; empty for a new run.
  const std::string& start() const { return start_; }

 private:
  std::unique_ptr<FolderLock> lock_;  // rank 0's, before anything is read or swept there
  std::string start_;
};

// The newest whole checkpoint. Every rank calls it. Error when there is none.
std::string newest_checkpoint(Communicator& ranks, const std::string& output);

}  // namespace fathom
