// The folder of a run: one process at a time, and what an earlier one left there counts only under the same
// settings.
#pragma once
#include <string>

#include "io/folder_lock.h"
#include "io/json.h"
#include "judge/journal.h"

namespace fathom {

class JudgeFolder {
 public:
  // `settings`: everything that the results depend on, by name, files by their content's hash. Kept in
  // settings.json. Error naming the first that differs from what the folder was made with.
  JudgeFolder(const std::string& path, const OrderedJson& settings);

  Journal journal(const std::string& name) const { return Journal(file(name)); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // Of all settings.
  const std::string& hash() const { return hash_; }

 private:
  std::string path_, hash_;
  FolderLock lock_;
};

// Contents, for the settings: files may be moved between runs. Of a folder its files by name, not those of
// folders in it.
std::string hash_of_file(const std::string& path);
std::string hash_of_folder(const std::string& path);

}  // namespace fathom
