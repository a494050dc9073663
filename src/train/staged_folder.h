// A folder's new content, written beside the old: files appear under OUT only when all are complete.
#pragma once
#include <string>

namespace fathom {

class StagedFolder {
 public:
  // Makes `out` if need be, and a hidden folder in it.
  explicit StagedFolder(std::string out);
  // Removes what was not published, and `out` if this object made it and it stayed empty.
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  // Where to write.
  const std::string& path() const { return staging_; }
  // Removes the token shards in `out` and moves the staged files there. The first training shard leaves first
  // and comes last, so that a process killed in between leaves a data set that TokenShards refuses.
  void publish();

 private:
  std::string out_, staging_;
  bool made_out_ = false;
};

}  // namespace fathom
