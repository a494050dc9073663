// The order in which a run reads windows: those of one stream, or of several sources in proportion to weights
// (train/mixture.h). Each epoch of the stream, or of a source, reads all its windows once, in an order of its
// own. A run that was rolled back goes on with the rest in another order.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "train/mixture.h"
#include "train/recipe.h"
#include "train/token_shard.h"

namespace fathom {

// Windows in a stream of this many tokens.
int64_t window_count(int64_t tokens, int64_t sequence_length);

// A part of the stream of all shards.
struct WindowSource {
  int64_t begin = 0;  // its first token
  int64_t windows = 0;
};

// The parts of the shards that the entries of data.train are. Error for one without a window that has a
// weight.
std::vector<WindowSource> window_sources(const Recipe::Data& data, const TokenShards& shards);

// Weights, and where they began to count: what a run read before, it took with other weights.
struct MixtureStart {
  std::vector<double> weights = {};  // of the sources; empty: there is one stream, and nothing to mix
  int64_t since = 0;                 // windows read before
  std::vector<int64_t> taken = {};   // of them, from each source

  bool operator==(const MixtureStart&) const = default;
  // Error when there are not as many numbers as weights, or `taken` does not add up.
  void check_whole(const std::string& where) const;
};
// The start of a run with these weights; or, where one goes on that stands at `windows_read`, of its rest.
// Error when one of the two has weights and the other has none, or for another number of sources.
MixtureStart mixture_start(const std::vector<double>& weights, const MixtureStart* then = nullptr,
                           int64_t windows_read = 0);

class WindowOrder {
 public:
  // Of windows 0..windows-1 of one stream.
  WindowOrder(int64_t windows, int64_t sequence_length, uint64_t seed);
  // Of sources, whose first samples are those of `start`.
  WindowOrder(std::vector<WindowSource> sources, const MixtureStart& start, int64_t sequence_length,
              uint64_t seed);

  // Where `taken` of each source's samples are read, what follows comes in another order, but for how the
  // sources take turns: what is left of an epoch is shuffled again, and so is each later epoch. The second
  // time it is another order than the first. `taken` must not fall.
  void reorder(const std::vector<int64_t>& taken);

  // The first token of number `i` of the windows that the run reads.
  int64_t operator()(int64_t i) const;
  // Windows that are one epoch: all that can be read.
  int64_t windows() const { return windows_; }
  const std::vector<WindowSource>& sources() const { return sources_; }
  // Of the first `windows_read`, those from each source; `windows_read` is not before the start.
  std::vector<int64_t> taken(int64_t windows_read) const;

 private:
  int64_t place(size_t source, int64_t number, uint64_t seed) const;

  std::vector<WindowSource> sources_;
  std::vector<std::vector<int64_t>> reordered_;  // what was taken before, each time
  std::optional<Mixture> mixture_;               // of several
  MixtureStart start_;
  int64_t sequence_length_, windows_ = 0;
  uint64_t seed_;
};

}  // namespace fathom
