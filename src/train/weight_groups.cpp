#include "train/weight_groups.h"

#include <algorithm>
#include <optional>

#include "ops/dispatch.h"

namespace fathom {
namespace {

// Elements that every weight and every slice begins at a multiple of: 64 bytes of the narrowest type.
constexpr int64_t alignment = 32;

int64_t rounded_up(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

int64_t count_of(const WeightInfo& info) {
  int64_t n = 1;
  for (int64_t d : info.shape) n *= d;
  return n;
}

bool is_routed(const WeightInfo& info) {
  return info.shape.size() == 3;
}

// The type of a group in some memory; none: it is not there.
using GroupType = std::optional<DType> (*)(const WeightGroup&);
std::optional<DType> stored(const WeightGroup& group) {
  return group.dtype;
}
std::optional<DType> gradient(const WeightGroup& group) {
  return group.trained ? std::optional(stat_of(group.dtype)) : std::nullopt;
}

Tensor view(const Tensor& elements, const std::vector<int64_t>& s) {
  if (s.size() == 1) return elements;
  if (s.size() == 2) return elements.reshape({s[0], s[1]});
  return elements.reshape({s[0], s[1], s[2]});
}

WeightMemory allocate(const Config& c, Arena& arena, const WeightGroups& g, const ModelPart& part,
                      GroupType type_of) {
  WeightMemory memory;
  for (const WeightGroup& group : g.groups) {
    const std::optional<DType> type = type_of(group);
    memory.groups.push_back(type ? arena.allocate(*type, {group.elements}) : Tensor());
  }
  size_t i = 0;
  const auto place = [&](const WeightInfo& info, Weight& weight) {
    const GroupedWeight& w = g.weights[i++];
    if (type_of(g.groups[w.group]))
      weight.data = view(memory.groups[w.group].slice(w.first, w.count), info.shape);
  };
  visit(c, memory.weights, place, part);
  return memory;
}

int64_t bytes(const WeightGroups& g, GroupType type_of) {
  Arena plan;
  for (const WeightGroup& group : g.groups)
    if (const std::optional<DType> type = type_of(group)) plan.allocate(*type, {group.elements});
  return plan.used();
}

}  // namespace

WeightGroups group_weights(const Config& c, DType dtype, const ModelPart& part, const Share& all,
                           const Share& routed) {
  parameter_count(c);  // fails where a size would overflow
  WeightGroups g;
  g.all = all, g.routed = routed;
  for (const NamedWeight& w : list_weights(c, {}, part)) {
    const bool embedding = w.info.name == "model.embed_tokens.weight";
    const int64_t layer = w.info.layer >= 0 || embedding ? w.info.layer : c.num_hidden_layers;
    const WeightGroup of{.layer = layer,
                         .routed = is_routed(w.info),
                         .trained = is_trained(w.info),
                         .dtype = storage_type(w.info, dtype)};
    const auto same = [&](const WeightGroup& other) {
      return other.layer == of.layer && other.routed == of.routed && other.trained == of.trained &&
             other.dtype == of.dtype;
    };
    auto group = std::find_if(g.groups.begin(), g.groups.end(), same);
    if (group == g.groups.end()) group = g.groups.insert(g.groups.end(), of);
    const auto index = static_cast<size_t>(group - g.groups.begin());
    g.weights.push_back({w.info, index, group->elements, count_of(w.info)});
    group->elements += rounded_up(g.weights.back().count, alignment);
  }
  for (WeightGroup& group : g.groups)
    group.elements = rounded_up(group.elements, alignment * g.share_of(group).ranks);
  return g;
}

Tensor WeightGroups::slice_of(const WeightGroup& group, const Tensor& whole) const {
  const Share& share = share_of(group);
  const int64_t n = group.elements / share.ranks;
  return whole.slice(share.rank * n, n);
}

std::vector<WeightPiece> WeightGroups::owned() const {
  std::vector<WeightPiece> pieces;
  for (size_t i = 0; i < weights.size(); ++i) {
    const GroupedWeight& w = weights[i];
    const WeightGroup& group = groups[w.group];
    const Share& share = share_of(group);
    const int64_t n = group.elements / share.ranks;
    const int64_t begin = std::max(share.rank * n, w.first),
                  end = std::min((share.rank + 1) * n, w.first + w.count);
    if (begin < end) pieces.push_back({i, begin - w.first, end - begin});
  }
  return pieces;
}

std::vector<WeightPiece> whole_weights(const Config& c, const ModelPart& part) {
  std::vector<WeightPiece> pieces;
  for (const NamedWeight& w : list_weights(c, {}, part))
    pieces.push_back({pieces.size(), 0, count_of(w.info)});
  return pieces;
}

WeightMemory allocate_groups(const Config& c, Arena& arena, const WeightGroups& g, const ModelPart& part) {
  return allocate(c, arena, g, part, stored);
}

int64_t group_bytes(const WeightGroups& g) {
  return bytes(g, stored);
}

WeightMemory allocate_gradient_groups(const Config& c, Arena& arena, const WeightGroups& g,
                                      const ModelPart& part) {
  return allocate(c, arena, g, part, gradient);
}

int64_t gradient_group_bytes(const WeightGroups& g) {
  return bytes(g, gradient);
}

}  // namespace fathom
