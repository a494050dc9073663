#include "plan/cluster.h"

#include <algorithm>

namespace fathom {

RankGroup stage_group(const Cluster& c, const Product& p) {
  return {p.stage_ranks(), std::min(p.stage_ranks(), c.gpus_per_host)};
}
RankGroup expert_group(const Cluster& c, const Product& p) {
  return {p.expert, std::min(p.expert, c.gpus_per_host)};
}
RankGroup replica_group(const Cluster& c, const Product& p) {
  return {p.data, std::clamp<int64_t>(c.gpus_per_host / p.expert, 1, p.data)};
}

double ring_seconds(const Cluster& c, const RankGroup& group, double bytes) {
  if (group.ranks == 1) return 0;
  const double n = static_cast<double>(group.ranks), sent = bytes * (n - 1) / n;
  const double inside = group.in_host > 1 ? sent / c.in_host : 0;
  const double outside =
      group.ranks > group.in_host ? sent / (c.between_hosts * static_cast<double>(group.in_host)) : 0;
  return std::max(inside, outside) + c.latency;
}

double all_to_all_seconds(const Cluster& c, const RankGroup& group, double bytes) {
  if (group.ranks == 1) return 0;
  const double inside = bytes * static_cast<double>(group.in_host - 1) / static_cast<double>(group.ranks - 1);
  const double outside = bytes - inside;
  return std::max(inside > 0 ? inside / c.in_host : 0, outside > 0 ? outside / c.between_hosts : 0) +
         c.latency;
}

double send_seconds(const Cluster& c, const Product& p, double bytes) {
  if (p.pipeline == 1) return 0;
  return bytes / (c.gpus <= c.gpus_per_host ? c.in_host : c.between_hosts) + c.latency;
}

}  // namespace fathom
