#include "train/ignored.h"

#include "base/error.h"

namespace fathom {
namespace {

class Ignored {
 public:
  explicit Ignored(const Recipe& recipe) : given_(recipe.given) {}

  // `key` was given, and `unused` says why it does nothing.
  void add(bool unused, const char* key, const char* why) {
    if (unused && given_.contains(key)) sentences_.push_back(fmt::format("{} is ignored: {}", key, why));
  }
  void add(std::string sentence) { sentences_.push_back(std::move(sentence)); }
  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  const std::set<std::string>& given_;
  std::vector<std::string> sentences_;
};

void add_recipe(Ignored& out, const Recipe& r, const ValidationData& validation) {
  const Decay decay = r.schedule.decay;
  out.add(decay != Decay::cosine, "schedule.final_factor", "schedule.decay is not cosine");
  out.add(decay != Decay::step, "schedule.decay_factor", "schedule.decay is not step");
  out.add(validation.own_shards && r.data.validation_fraction > 0, "data.validation_fraction",
          "there are validation shards");
  out.add(!validation.any, "validation.every", "there is no validation data");
  out.add(!validation.any, "validation.sequences", "there is no validation data");
  out.add(!validation.any, "validation.at_start", "there is no validation data");
  out.add(r.data.no_tokenizer, "data.tokenizer", "data.no_tokenizer is true");
  out.add(!r.model.init_from.empty(), "model.initializer_range", "the weights come from model.init_from");
  out.add(r.parallel.pipeline == 1, "parallel.schedule", "parallel.pipeline is 1");
  out.add(!r.anomaly.skip, "anomaly.most_skipped", "anomaly.skip is false");
  out.add(r.anomaly.rollback == 0, "anomaly.most_rollbacks", "anomaly.rollback is 0");
  out.add(r.parallel.pipeline > 1 || r.parallel.expert > 1, "sample.prompts", "no rank has the whole model");
  for (const char* key : {"sample.every", "sample.tokens", "sample.temperature"})
    out.add(r.sample.prompts.empty(), key, "sample.prompts is empty");
  out.add(r.parallel.pipeline > 1 || r.parallel.expert > 1, "eval.tasks", "no rank has the whole model");
  for (const char* key :
       {"eval.data", "eval.every", "eval.limit", "eval.sequences", "eval.chat", "eval.at_start"})
    out.add(r.eval.tasks.empty(), key, "eval.tasks is empty");
  for (const char* key : {"run.recompute_layers", "run.recompute_parts"})
    out.add(r.run.recompute, key, "run.recompute is true");
}

void add_config(Ignored& out, const Recipe& r, const Config& c) {
  const bool dense = c.n_moe_layers() == 0;
  for (const char* key : {"model.aux_loss_alpha", "model.seq_aux", "model.n_group", "model.topk_group",
                          "model.topk_method", "model.norm_topk_prob", "model.routed_scaling_factor",
                          "model.num_experts_per_tok", "model.moe_intermediate_size"})
    out.add(dense, key, "no layer has experts");
  if (dense) return;
  out.add(!balances(r, c), "model.seq_aux", "there is no balance loss: model.aux_loss_alpha is 0");
  for (const char* key : {"model.n_group", "model.topk_group"})
    out.add(c.topk_method == TopkMethod::greedy, key, "model.topk_method is greedy");
  out.add(c.norm_topk_prob && c.num_experts_per_tok > 1, "model.routed_scaling_factor",
          "model.norm_topk_prob is true");
}

// Fields of a config.json that ask for a kind of training that fathom does not have.
bool asks_for_more(const std::string& key, const Json& value) {
  if (!value.is_number() || value.get<double>() == 0) return false;
  for (const char* part : {"dropout", "jitter", "z_loss", "label_smoothing", "router_aux_loss"})
    if (key.find(part) != std::string::npos) return true;
  return false;
}

void add_fields(Ignored& out, const Json& fields, const std::string& where) {
  if (!fields.is_object()) return;
  for (const auto& [key, value] : fields.items())
    if (asks_for_more(key, value))
      out.add(fmt::format("{}: {} = {} is ignored: training has no such thing", where, key, value.dump()));
}

}  // namespace

std::vector<std::string> ignored_settings(const Recipe& recipe, const Config& config,
                                          const ValidationData& validation) {
  Ignored out(recipe);
  add_recipe(out, recipe, validation);
  add_config(out, recipe, config);
  add_fields(out, recipe.model.fields, "recipe [model]");
  const std::string& base = recipe.model.config.empty() ? recipe.model.init_from : recipe.model.config;
  if (!base.empty()) {
    const std::string file = config_file(base);
    add_fields(out, read_json(file), file);
  }
  return out.take();
}

}  // namespace fathom
