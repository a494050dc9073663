// TrainingData of token shards.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/log.h"
#include "train/identity.h"
#include "train/stream_windows.h"
#include "train/training_data.h"

namespace fathom {
namespace {

// The paths that are folders: a shard that is named itself is of the split that it is named for.
std::vector<std::string> folders_of(const std::vector<std::string>& paths) {
  std::vector<std::string> folders;
  for (const std::string& path : paths)
    if (std::filesystem::is_directory(path)) folders.push_back(path);
  return folders;
}

std::optional<TokenShards> validation_shards(const Recipe::Data& data) {
  if (!data.validation.empty()) return TokenShards(data.validation, "val");
  if (const auto folders = folders_of(data.train); !shard_files(folders, "val").empty())
    return TokenShards(folders, "val");
  return std::nullopt;
}

// The places of `windows` windows from number `first` on, but no more than the recipe measures.
std::vector<int64_t> validation_places(const Recipe& r, int64_t first, int64_t windows) {
  if (r.validation.sequences > 0) windows = std::min(windows, r.validation.sequences);
  std::vector<int64_t> places;
  for (int64_t w = 0; w < windows; ++w) places.push_back((first + w) * r.data.sequence_length);
  return places;
}

}  // namespace

int64_t TrainingData::windows() const {
  int64_t all = 0;
  for (const WindowSource& source : sources) all += source.windows;
  return all;
}

TrainingData open_token_shards(const Recipe& r, int threads) {
  const Packing packing = {r.data.sequence_length, r.data.document_mask};
  TokenShards shards(r.data.train, "train");
  std::optional<TokenShards> validation = validation_shards(r.data);
  if (validation) check_same_tokenizer(shards, *validation);

  TrainingData data;
  data.vocabulary = shards.vocabulary();
  data.where = shards.paths().front();
  data.tokens = shards.tokens();
  data.stride = packing.sequence_length;
  int64_t windows = window_count(shards.tokens(), packing.sequence_length);
  if (validation) {
    const int64_t held = window_count(validation->tokens(), packing.sequence_length);
    if (held == 0)
      log::warn("{}: {} tokens are too few for a sequence of {} + 1: there is no validation loss",
                validation->paths().front(), validation->tokens(), packing.sequence_length);
    data.validation_places = validation_places(r, 0, held);
  } else if (r.data.validation_fraction > 0) {
    const auto held =
        static_cast<int64_t>(std::ceil(r.data.validation_fraction * static_cast<double>(windows)));
    windows -= held;
    data.validation_places = validation_places(r, windows, held);
  }
  data.sources = r.data.weights.empty() ? std::vector<WindowSource>{{0, windows}} : window_sources(r.data, shards);
  data.identity = shards.fingerprint(threads, r.data.verify);
  data.tokenizer = checked_tokenizer(r, shards, validation ? &*validation : nullptr);
  data.tokenizer_folder = tokenizer_folder(r, shards);
  if (validation) {
    data.own_validation = true;
    data.validation_identity = validation->fingerprint(threads, r.data.verify);
    data.validation = std::make_unique<StreamWindows>(std::move(*validation), packing);
  }
  data.training = std::make_unique<StreamWindows>(std::move(shards), packing);
  return data;
}

}  // namespace fathom
