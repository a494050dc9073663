// One process per folder: a lock on FOLDER/.lock that ends with the process, however that ends.
#pragma once
#include <string>

#include "io/descriptor.h"

namespace fathom {

class FolderLock {
 public:
  // Makes the folder if need be. Error naming the process that has it.
  explicit FolderLock(const std::string& folder);
  // Removes the lock's file, and the folder if this object made it and it stayed empty.
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::string folder_, path_;
  bool made_folder_ = false;
  Descriptor file_;
};

}  // namespace fathom
