// The machines of a plan: how fast their GPUs reach one another, and what a collective takes. Speeds are
// stated by the user, of one GPU in one direction.
#pragma once
#include <cstdint>

namespace fathom {

struct Cluster {
  int64_t gpus = 1;
  double gpu_memory = 0;  // bytes that a rank may take
  int64_t gpus_per_host = 8;
  double in_host = 0, between_hosts = 0;  // bytes per second
  double latency = 0;                     // seconds until a message begins to arrive
};

// How the N ranks are divided: N = pipeline * expert * data. Where each stands, train/parallel_plan.h says:
// the ranks of an expert group are neighbours, and so are those of a stage.
struct Product {
  int64_t pipeline = 1, expert = 1, data = 1;
  int64_t stage_ranks() const { return expert * data; }  // that have the same layers
  friend bool operator==(const Product&, const Product&) = default;
};

// Ranks that talk to one another.
struct RankGroup {
  int64_t ranks = 1;    // of the group
  int64_t in_host = 1;  // of them on one host
};
RankGroup stage_group(const Cluster& cluster, const Product& product);    // replicas of a stage's weights
RankGroup expert_group(const Cluster& cluster, const Product& product);   // that share the experts
RankGroup replica_group(const Cluster& cluster, const Product& product);  // with the same experts

// A reduce-scatter or an all-gather of `bytes` in all, as a ring: a rank sends all but its own share. The
// ranks of a host share the way out, each over its own network card.
double ring_seconds(const Cluster& cluster, const RankGroup& group, double bytes);
// `bytes` that a rank sends to the others, evenly; those on its host and those elsewhere at the same time.
double all_to_all_seconds(const Cluster& cluster, const RankGroup& group, double bytes);
// To the rank of the next stage.
double send_seconds(const Cluster& cluster, const Product& product, double bytes);

}  // namespace fathom
