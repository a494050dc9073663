#include "train/trained_model.h"

#include <exception>

#include "model/adapter_folder.h"
#include "model/score.h"
#include "tensor/memory.h"
#include "train/not_finite.h"
#include "train/training_memory.h"

namespace fathom {
namespace {

// In host memory each reduction that is under way has a buffer.
constexpr size_t most_on_host = 4;

}  // namespace

TrainedModel::TrainedModel(const Device& device, RankGroups& ranks, const Config& c, DType dtype)
    : ranks_(ranks),
      groups_(group_weights(c, dtype, ranks.plan(), ranks.rank())),
      model_(make_model(device, c, dtype, ranks.plan().part_of(ranks.rank(), c), group_bytes(groups_),
                        [&](Arena& arena, const ModelPart& part) {
                          weight_memory_ = allocate_groups(c, arena, groups_, part);
                          return weight_memory_.weights;
                        })),
      gradient_arena_("gradients", gradient_group_bytes(groups_), device, smaller_model),
      gradient_memory_(allocate_gradient_groups(c, gradient_arena_, groups_, model_.part)),
      gradients_(gradient_memory_.weights),
      optimizer_(device, model_, gradients_.weights, groups_.owned()),
      most_pending_(device.on_host() ? most_on_host : groups_.groups.size()),
      unreduced_(groups_.groups.size()) {
  model_.before_layer = [this](int64_t layer) { finish_gathering(layer); };
}

TrainedModel::~TrainedModel() {
  if (std::uncaught_exceptions() == 0) finish_gathering();
}

void TrainedModel::start(Device& device, const Recipe& r) {
  const Config& c = model_.config;
  Weights exact = starting_weights(model_, gradients_.weights);
  if (r.model.init_from.empty())
    initialize_weights(device, c, exact, r.run.seed, model_.part);
  else
    start_from_folder(device, c, exact, r.model.init_from, model_.part);
  if (c.lora && r.lora.init_from.empty()) initialize_adapters(device, c, exact, r.run.seed, model_.part);
  if (c.lora && !r.lora.init_from.empty())
    start_from_adapter(device, c, exact, r.lora.init_from, model_.part);
  optimizer_.start_from(device, exact);
}

void TrainedModel::load_frozen(Device& device, const Recipe& r) {
  start_from_folder(device, model_.config, model_.weights, r.model.init_from, model_.part);
}

void TrainedModel::clear_gradients(const Device& device) {
  for (const Tensor& group : gradient_memory_.groups)
    if (group) clear(device, group);
}

void TrainedModel::start_reducing(int64_t layer) {
  for (; unreduced_ > 0 && groups_.groups[unreduced_ - 1].layer >= layer; --unreduced_) {
    const WeightGroup& group = groups_.groups[unreduced_ - 1];
    Communicator& ranks = holders(group);
    if (!group.trained || ranks.size() == 1) continue;
    if (pending_.size() == most_pending_) pending_.front().wait(), pending_.pop_front();
    const Tensor& all = gradient_memory_.groups[unreduced_ - 1];
    pending_.push_back(ranks.start(ReduceScatter{.out = groups_.slice_of(group, all), .in = all}));
  }
}

void TrainedModel::reduce_gradients() {
  start_reducing(-1);
  for (; !pending_.empty(); pending_.pop_front()) pending_.front().wait();
  unreduced_ = groups_.groups.size();
}

void TrainedModel::start_gathering() {
  finish_gathering();
  for (size_t i = 0; i < groups_.groups.size(); ++i) {
    const WeightGroup& group = groups_.groups[i];
    Communicator& ranks = holders(group);
    if (!group.trained || ranks.size() == 1) continue;
    const Tensor& all = weight_memory_.groups[i];
    gathered_.emplace_back(group.layer,
                           ranks.start(AllGather{.out = all, .in = groups_.slice_of(group, all)}));
  }
}

void TrainedModel::finish_gathering(int64_t layer) const {
  for (; !gathered_.empty() && gathered_.front().first <= layer; gathered_.pop_front())
    gathered_.front().second.wait();
}

void TrainedModel::finish_gathering() const {
  finish_gathering(model_.config.num_hidden_layers);
}

std::string TrainedModel::weight_that_is_not_finite(const Device& device) const {
  return first_not_finite(device, groups_, weight_memory_.groups, false);
}

std::string TrainedModel::gradient_that_is_not_finite(const Device& device) const {
  return first_not_finite(device, groups_, gradient_memory_.groups, true);
}

}  // namespace fathom
