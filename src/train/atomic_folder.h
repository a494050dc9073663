// A folder that appears under its name only when everything in it is on disk.
#pragma once
#include <string>

namespace fathom {

class AtomicFolder {
 public:
  // Files are to be written, each safely, into path(): a hidden folder beside `destination`.
  explicit AtomicFolder(std::string destination);
  // Without commit(): removes what was written.
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::string& path() const { return temporary_; }
  // Syncs, renames, syncs the parent. What stood at `destination` before is replaced.
  void commit();

  // Removes what killed processes left behind in this folder of folders.
  static void remove_leftovers(const std::string& parent);

 private:
  std::string destination_, temporary_;
  bool committed_ = false;
};

}  // namespace fathom
