// A folder of tensors and a few other files, written by many ranks together: every rank writes the slices
// that it holds to their places in the files, and rank 0 puts the folder in place once all have confirmed
// theirs. The bytes are those that one process would write, whatever the ranks hold. All ranks must see one
// file system.
//
//   CheckpointWriter writer(ranks, device, content, slices);
//   writer.start();                    // writes in a thread of its own; or not at all
//   ...steps; all ranks ask writer.done() now and then...
//   writer.finish();
//
// After an error on one rank all of them throw it, nothing new is visible and the hidden folder is gone. One
// process alone runs the same code: there is nobody to wait for.
#pragma once
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "io/atomic_folder.h"
#include "io/checkpoint.h"
#include "io/slice_writer.h"
#include "io/tensor_files.h"
#include "train/slice_map.h"

namespace fathom {

// The same on every rank; what writes and prunes is called on rank 0 alone.
struct FolderContent {
  std::string destination;
  FilePatterns names;             // of all files in it
  std::vector<TensorFile> files;  // those with tensors
  // Writes the others into the folder, which is not in place yet.
  std::function<void(const std::string& folder, const FileChecksums& checksums)> write_others{};
  std::function<void()> when_in_place = [] {};
};

class CheckpointWriter {
 public:
  // Every rank calls it, with slices that together cover every tensor once. They stand in this device's
  // memory and must not change before finish() returns.
  CheckpointWriter(Communicator& ranks, const Device& device, FolderContent content,
                   const std::vector<TensorSlice>& mine);

  // Writes in a thread of its own, from which no other rank is spoken to. A process alone finishes there too.
  void start();
  // Whether every rank has written its slices, so that finish() need not wait for that. Every rank calls it.
  bool done();
  // Every rank calls it; the folder is in place then. Throws what went wrong.
  void finish();

 private:
  // Every rank does its part. When that of one fails, nothing is left of the folder, and then all throw.
  void together(const std::function<void()>& part);
  void make_folder();
  // Of this rank; what fails is told by finish().
  void write();
  void confirm();
  // Of all tensors; on every rank.
  std::vector<HashValue> all_hashes();
  void hash_divided_tensors(std::vector<HashValue>& hashes);

  Communicator& ranks_;
  FolderContent content_;
  std::unique_ptr<AtomicFolder> folder_;  // rank 0's
  std::optional<TensorFiles> files_;
  std::optional<SliceWriter> writer_;
  std::vector<MappedSlice> map_;
  std::string failure_;  // of write()
  std::atomic<bool> written_ = false;
  bool finished_ = false;
  std::future<void> writing_;  // its destructor waits
};

}  // namespace fathom
