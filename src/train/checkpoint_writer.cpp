#include "train/checkpoint_writer.h"

#include <utility>

#include "base/error.h"
#include "comm/agreement.h"
#include "train/checksums.h"

namespace fathom {
namespace {

// To be sent.
Tensor state_tensor(ContentHash::State& state) {
  return {state.data(), DType::i64, {static_cast<int64_t>(state.size())}};
}

}  // namespace

CheckpointWriter::CheckpointWriter(Communicator& ranks, const Device& device, FolderContent content,
                                   const std::vector<TensorSlice>& mine)
    : ranks_(ranks.host()), content_(std::move(content)) {
  make_folder();
  together([&] { writer_.emplace(device, *files_, mine); });
  map_ = map_slices(ranks_, writer_->pieces());
  together([&] { check_complete(*files_, map_); });
  together([&] {
    if (ranks_.rank() == 0) files_->create();
  });
}

void CheckpointWriter::together(const std::function<void()>& part) {
  const std::string failure = first_failure(ranks_, failure_of(part));
  if (failure.empty()) return;
  folder_.reset();
  ranks_.barrier();  // who throws may end the others
  fail("{}", failure);
}

void CheckpointWriter::make_folder() {
  together([&] {
    if (ranks_.rank() == 0) folder_ = std::make_unique<AtomicFolder>(content_.destination, content_.names);
  });
  const std::string path = broadcast_text(ranks_, folder_ ? folder_->path() : "");
  together([&] { files_.emplace(path, content_.files); });
}

void CheckpointWriter::write() {
  failure_ = failure_of([&] { writer_->write(); });
  written_ = true;
}

void CheckpointWriter::start() {
  writing_ = std::async(std::launch::async, [this] {
    write();
    if (ranks_.size() == 1) confirm();
  });
}

bool CheckpointWriter::done() {
  return all_of(ranks_, written_);
}

void CheckpointWriter::finish() {
  if (writing_.valid())
    writing_.get();
  else
    write();
  if (!finished_) confirm();
}

void CheckpointWriter::confirm() {
  together([&] { check(failure_.empty(), "{}", failure_); });
  const std::vector<HashValue> hashes = all_hashes();
  together([&] {
    if (ranks_.rank() > 0) return;
    content_.write_others(folder_->path(), named_checksums(*files_, hashes));
    folder_->commit();
    content_.when_in_place();
  });
  finished_ = true;
}

std::vector<HashValue> CheckpointWriter::all_hashes() {
  std::vector<HashValue> hashes = writer_->hashes();
  hash_divided_tensors(hashes);
  sum_hashes(ranks_, hashes);
  return hashes;
}

// The hash of a tensor that several ranks hold goes from one to the next, in the order of their slices. All
// take them in that order, so that none waits for one that waits for it.
void CheckpointWriter::hash_divided_tensors(std::vector<HashValue>& hashes) {
  const int64_t me = ranks_.rank();
  ContentHash::State state;
  auto piece = writer_->pieces().begin();
  for (size_t i = 0; i < map_.size(); ++i) {
    if (map_[i].rank != me) continue;
    const SliceWriter::Piece& mine = *piece++;
    const bool first = i == 0 || map_[i - 1].tensor != mine.tensor,
               last = i + 1 == map_.size() || map_[i + 1].tensor != mine.tensor;
    if (first && last) continue;
    if (!first && map_[i - 1].rank != me)
      ranks_.run(Receive{.x = state_tensor(state), .from = static_cast<int>(map_[i - 1].rank)});
    const ContentHash hash =
        writer_->hash_up_to(mine, first ? std::nullopt : std::optional<ContentHash::State>(state));
    state = hash.state();
    if (last)
      hashes[mine.tensor] = hash.value();
    else if (map_[i + 1].rank != me)
      ranks_.run(Send{.x = state_tensor(state), .to = static_cast<int>(map_[i + 1].rank)});
  }
}

}  // namespace fathom
