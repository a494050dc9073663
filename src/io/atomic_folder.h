// A folder that appears under its name only when everything in it is on the disk. What stood there before is
// replaced in one step: at any moment, the death of the process included, the name stands for the old content
// or the new, whole. What a killed process leaves behind is swept away by the next one (io/hidden_folder.h).
#pragma once
#include <string>
#include <vector>

#include "io/hidden_folder.h"

namespace fathom {

class AtomicFolder {
 public:
  // Makes a hidden folder beside `destination`, and the folders above it where they are missing. Files whose
  // names match `ours` are what an earlier commit wrote; everything else in `destination` is kept. Error when
  // the folder cannot be made or replaced: a file, a mount point, the current folder.
  AtomicFolder(const std::string& destination, FilePatterns ours);
  // Without commit(): removes what was written.
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  // Where to write. All names must match `ours`.
  const std::string& path() const { return hidden_.path; }
  // Syncs everything and puts it in place. An Error leaves the old content.
  void commit();

 private:
  // Folders made for this one; gone again when nothing was put into them.
  struct NewParents {
    std::vector<std::string> made;
    ~NewParents();
  };

  void make_parents();
  void take_over();
  void put_in_place();
  void exchange();
  void exchange_by_two_renames();

  std::string destination_;
  FilePatterns ours_;
  NewParents parents_;
  HiddenFolder hidden_;
  bool committed_ = false;
};

}  // namespace fathom
