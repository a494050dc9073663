#include "train/window_order.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/rng.h"
#include "train/shuffle.h"

namespace fathom {
namespace {

// Sources of equal size are not read in the same order.
uint64_t seed_of_source(uint64_t seed, size_t source) {
  constexpr uint64_t stream = 0x736f7572636573;  // of this draw alone
  const auto bits = philox(seed, source, stream);
  return bits[0] | static_cast<uint64_t>(bits[1]) << 32;
}

// Of the order number `round`, counted from 1, that a source's windows come in.
uint64_t seed_of_order(uint64_t seed, size_t round) {
  constexpr uint64_t stream = 0x72656f72646572;  // of this draw alone
  const auto bits = philox(seed, round, stream);
  return bits[0] | static_cast<uint64_t>(bits[1]) << 32;
}

std::vector<int64_t> plus(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  std::transform(a.begin(), a.end(), b.begin(), a.begin(), std::plus<>());
  return a;
}

}  // namespace

int64_t window_count(int64_t tokens, int64_t sequence_length) {
  return std::max<int64_t>(0, (tokens - 1) / sequence_length);
}

std::vector<WindowSource> window_sources(const Recipe::Data& data, const TokenShards& shards) {
  std::vector<WindowSource> sources;
  size_t shard = 0;
  for (size_t s = 0; s < data.train.size(); ++s) {
    const size_t first = shard;
    shard += shard_files({data.train[s]}, "train").size();
    const int64_t begin = shards.begin(first), tokens = shards.begin(shard) - begin;
    sources.push_back({begin, window_count(tokens, data.sequence_length)});
    check(data.weights[s] == 0 || sources.back().windows > 0,
          "data.train {}: has the weight {:g}, but its {} tokens are too few for a sequence of {} + 1",
          data.train[s], data.weights[s], tokens, data.sequence_length);
  }
  return sources;
}

void MixtureStart::check_whole(const std::string& where) const {
  const bool counts = std::all_of(taken.begin(), taken.end(), [](int64_t n) { return n >= 0; });
  check(counts && taken.size() == weights.size() &&
            std::accumulate(taken.begin(), taken.end(), int64_t{0}) == since,
        "{}: of {} windows those of {} sources do not add up, with {} weights", where, since, taken.size(),
        weights.size());
  if (!weights.empty()) mixture_shares(weights);
}

MixtureStart mixture_start(const std::vector<double>& weights, const MixtureStart* then,
                           int64_t windows_read) {
  if (!then) return {weights, 0, std::vector<int64_t>(weights.size())};
  check(then->weights.empty() == weights.empty(),
        "a run that began {} data.weights cannot go on {} them: model.init_from starts another one",
        weights.empty() ? "with" : "without", weights.empty() ? "without" : "with");
  check(then->weights.size() == weights.size(),
        "data.weights has {} numbers, but the run began with {} sources", weights.size(),
        then->weights.size());
  if (weights.empty()) return {};
  const std::vector<int64_t> before = mixture_shares(then->weights);
  if (before == mixture_shares(weights)) return {weights, then->since, then->taken};
  return {weights, windows_read, plus(Mixture(before).taken(windows_read - then->since), then->taken)};
}

WindowOrder::WindowOrder(int64_t windows, int64_t sequence_length, uint64_t seed)
    : sources_{WindowSource{0, windows}}, sequence_length_(sequence_length), windows_(windows), seed_(seed) {
  check(windows > 0, "the training data has no whole sequence of {} + 1 tokens", sequence_length);
}

WindowOrder::WindowOrder(std::vector<WindowSource> sources, const MixtureStart& start,
                         int64_t sequence_length, uint64_t seed)
    : sources_(std::move(sources)),
      mixture_(mixture_shares(start.weights)),
      start_(start),
      sequence_length_(sequence_length),
      seed_(seed) {
  for (size_t s = 0; s < sources_.size(); ++s)
    if (start_.weights[s] > 0) windows_ += sources_[s].windows;
}

void WindowOrder::reorder(const std::vector<int64_t>& taken) {
  check(taken.size() == sources_.size(), "a roll-back with {} sources in a run with {}", taken.size(),
        sources_.size());
  reordered_.push_back(taken);
}

// The order before the last change, at a place that the last change chose, and so on to the first order.
int64_t WindowOrder::place(size_t source, int64_t number, uint64_t seed) const {
  const int64_t n = sources_[source].windows, epoch = number / n;
  int64_t i = number % n;
  for (size_t round = reordered_.size(); round > 0; --round) {
    const int64_t kept = std::clamp<int64_t>(reordered_[round - 1][source] - epoch * n, 0, n);
    if (i < kept) continue;
    i = kept + Shuffle(n - kept, seed_of_order(seed, round), static_cast<uint64_t>(epoch))(i - kept);
  }
  return sources_[source].begin + Shuffle(n, seed, static_cast<uint64_t>(epoch))(i) * sequence_length_;
}

int64_t WindowOrder::operator()(int64_t i) const {
  if (!mixture_) return place(0, i, seed_);
  const auto [source, number] = (*mixture_)(i - start_.since);
  return place(source, start_.taken[source] + number, seed_of_source(seed_, source));
}

std::vector<int64_t> WindowOrder::taken(int64_t windows_read) const {
  if (!mixture_) return {windows_read};
  return plus(mixture_->taken(windows_read - start_.since), start_.taken);
}

}  // namespace fathom
