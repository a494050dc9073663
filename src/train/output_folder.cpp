#include "train/output_folder.h"

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "comm/agreement.h"
#include "train/training_checkpoint.h"

namespace fathom {
namespace {

std::string find_start(const std::string& output, bool resume) {
  sweep_output(output);
  const std::optional<std::string> any = any_checkpoint(output);
  check(resume || !any, "{}: holds the checkpoint {} already; give --resume or another run.output", output,
        any.value_or(""));
  if (!resume) return {};
  const std::optional<std::string> latest = latest_checkpoint(output);
  check(latest.has_value(), "{}: no {}checkpoint to resume from", output, any ? "whole " : "");
  return *latest;
}

}  // namespace

OutputFolder::OutputFolder(Communicator& ranks, const std::string& output, bool resume) {
  together(ranks, [&] {
    if (ranks.rank() > 0) return;
    // A folder that is not there has nothing to resume, and is not made for it.
    check(!resume || std::filesystem::is_directory(output), "{}: no checkpoint to resume from", output);
    lock_ = std::make_unique<FolderLock>(output);
    start_ = find_start(output, resume);
  });
  start_ = broadcast_text(ranks, start_);
}

std::string newest_checkpoint(Communicator& ranks, const std::string& output) {
  std::optional<std::string> newest;
  together(ranks, [&] {
    if (ranks.rank() > 0) return;
    newest = latest_checkpoint(output);
    check(newest.has_value(), "{}: no whole checkpoint to go back to", output);
  });
  return broadcast_text(ranks, newest.value_or(""));
}

}  // namespace fathom
