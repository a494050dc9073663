// The table of recipe keys: every key with its member, the values it may have, and its help.
#pragma once
#include <limits>

#include "train/recipe.h"

namespace fathom {

// What values a number may have.
struct Range {
  double low, high;
};
inline constexpr double huge = 1e18;
inline constexpr Range at_least_0{0, huge}, at_least_1{1, huge}, fraction{0, 1},
    below_1{0, 1 - std::numeric_limits<double>::epsilon() / 2}, any_value{-huge, huge};

// Of a field of config.json. The balance loss is a part of training, not of the model.
inline bool is_of_training(const std::string& field) {
  return field == "aux_loss_alpha" || field == "seq_aux";
}

inline constexpr OnResume free_to_change = OnResume::free, by_request = OnResume::by_request,
                   fixed = OnResume::fixed;

// The table: f(key, member, range, on_resume, help). Numbers outside the range are refused.
template <class R, class F>
void visit_recipe(R& r, F&& f) {
  f("model.config", r.model.config, any_value, free_to_change, "config.json of the model to train");
  f("model.init_from", r.model.init_from, any_value, free_to_change, "model folder to start from");
  f("model.extend_to", r.model.extend_to, at_least_0, fixed,
    "longest context, which YaRN extends the model to; 0: that of the config");
  f("model.extend_from", r.model.extend_from, at_least_0, fixed,
    "length that the model was trained on before; 0: its longest context");
  f("model.device_balance_alpha", r.model.device_balance_alpha, at_least_0, by_request,
    "weight of the balance loss over groups of experts");
  f("model.communication_balance_alpha", r.model.communication_balance_alpha, at_least_0, by_request,
    "weight of the balance loss over tokens sent to groups");
  f("model.capacity_factor", r.model.capacity_factor, at_least_0, by_request,
    "room of a group of experts over its average load, for token dropping; 0: none");
  f("model.bias_update_speed", r.model.bias_update_speed, at_least_0, by_request,
    "change of the bias of experts in a step, with topk_method = noaux_tc; 0: none");
  f("lora.rank", r.lora.rank, Range{0, 65536}, fixed,
    "of adapters, which are trained in place of model.init_from's weights; 0: none");
  f("lora.alpha", r.lora.alpha, Range{1e-9, 1e9}, fixed, "their scale is alpha / rank");
  f("lora.rslora", r.lora.rslora, any_value, fixed, "their scale is alpha / sqrt(rank)");
  f("lora.targets", r.lora.targets, any_value, fixed,
    "projections that have one: q_a_proj, experts.down_proj and the like, or all-linear");
  f("lora.init_from", r.lora.init_from, any_value, free_to_change,
    "folder of an adapter to go on with, in place of new ones");
  f("data.train", r.data.train, any_value, free_to_change, "folders or shards made by fathom prepare");
  f("data.weights", r.data.weights, at_least_0, by_request,
    "of the entries of data.train, to mix them in proportion; none: all windows alike");
  f("data.validation", r.data.validation, any_value, free_to_change, "the same, for the validation loss");
  f("data.validation_fraction", r.data.validation_fraction, below_1, fixed,
    "part of the training tokens held out when there are no validation shards");
  f("data.sequence_length", r.data.sequence_length, at_least_1, fixed, "tokens of one sequence");
  f("data.document_mask", r.data.document_mask, any_value, fixed, "attend within a document only");
  f("data.tokenizer", r.data.tokenizer, any_value, free_to_change,
    "tokenizer.json or its folder; it must be that of the data");
  f("data.no_tokenizer", r.data.no_tokenizer, any_value, free_to_change,
    "there is no tokenizer.json: the model is saved without");
  f("data.verify", r.data.verify, any_value, free_to_change, "read all shards at the start for their hashes");
  f("optimizer.lr", r.optimizer.lr, at_least_0, by_request, "learning rate after the warm-up");
  f("optimizer.beta1", r.optimizer.beta1, below_1, by_request, "decay of the first moment");
  f("optimizer.beta2", r.optimizer.beta2, below_1, by_request, "decay of the second moment");
  f("optimizer.eps", r.optimizer.eps, Range{1e-30, 1}, by_request, "AdamW's epsilon");
  f("optimizer.weight_decay", r.optimizer.weight_decay, at_least_0, by_request, "of matrices");
  f("optimizer.clip", r.optimizer.clip, at_least_0, by_request, "largest gradient norm; 0: no clipping");
  f("schedule.steps", r.schedule.steps, at_least_0, by_request, "length of the run in steps");
  f("schedule.tokens", r.schedule.tokens, at_least_0, by_request, "length of the run in tokens");
  f("run.epochs", r.run.epochs, at_least_0, by_request, "length of the run in passes over the data");
  f("schedule.warmup_steps", r.schedule.warmup_steps, at_least_0, by_request, "linear warm-up");
  f("schedule.decay", r.schedule.decay, any_value, by_request, "constant, step or cosine");
  f("schedule.decay_at", r.schedule.decay_at, fraction, by_request, "step: parts of the run, rising");
  f("schedule.decay_factor", r.schedule.decay_factor, fraction, by_request, "step: factor at each of them");
  f("schedule.final_factor", r.schedule.final_factor, fraction, by_request, "cosine: last rate over lr");
  f("batch.sequences", r.batch.sequences, at_least_1, by_request, "sequences per step");
  f("batch.micro_batch", r.batch.micro_batch, at_least_1, by_request, "sequences worked on at once");
  f("batch.ramp_from", r.batch.ramp_from, at_least_0, by_request, "sequences per step at the start");
  f("batch.ramp_tokens", r.batch.ramp_tokens, at_least_0, by_request, "tokens the ramp takes; 0: none");
  f("validation.every", r.validation.every, at_least_0, free_to_change, "steps between; 0: at the end only");
  f("validation.sequences", r.validation.sequences, at_least_0, free_to_change, "at most; 0: all");
  f("validation.at_start", r.validation.at_start, any_value, free_to_change, "before the first step too");
  f("checkpoint.every", r.checkpoint.every, at_least_0, free_to_change, "steps between; 0: at the end only");
  f("checkpoint.keep", r.checkpoint.keep, at_least_1, free_to_change, "the newest that stay");
  f("anomaly.skip", r.anomaly.skip, any_value, by_request,
    "a step with a spike, or a number that is not finite, changes no weight");
  f("anomaly.window", r.anomaly.window, Range{2, 65536}, by_request,
    "steps that the next one is compared with");
  f("anomaly.deviations", r.anomaly.deviations, at_least_0, by_request,
    "a loss or gradient norm so many deviations above their median is a spike");
  f("anomaly.most_skipped", r.anomaly.most_skipped, at_least_0, free_to_change,
    "steps in a row that may be skipped; one more ends the run, or rolls it back");
  f("anomaly.rollback", r.anomaly.rollback, Range{0, 65536}, by_request,
    "so many flagged steps of the last anomaly.window go back to the last checkpoint; 0: never");
  f("anomaly.most_rollbacks", r.anomaly.most_rollbacks, at_least_0, free_to_change,
    "of the whole run; after them it ends");
  f("sample.prompts", r.sample.prompts, any_value, free_to_change,
    "texts that the model continues while it trains, into samples.jsonl; none: no samples");
  f("sample.every", r.sample.every, at_least_0, free_to_change, "steps between; 0: with each checkpoint");
  f("sample.tokens", r.sample.tokens, at_least_1, free_to_change, "of an answer, at most");
  f("sample.temperature", r.sample.temperature, at_least_0, free_to_change,
    "0: always the most likely token");
  f("eval.tasks", r.eval.tasks, any_value, free_to_change,
    "names or files of tasks that the model is scored on while it trains; none: no evaluation");
  f("eval.data", r.eval.data, any_value, free_to_change, "folder of the data sets' files");
  f("eval.every", r.eval.every, at_least_0, free_to_change, "steps between; 0: at the start and the end only");
  f("eval.limit", r.eval.limit, at_least_0, free_to_change, "items of each file at most; 0: all");
  f("eval.sequences", r.eval.sequences, Range{0, 1024}, free_to_change,
    "worked on at a time; 0: 32, on a GPU 256");
  f("eval.chat", r.eval.chat, any_value, free_to_change, "ask in conversations, through the chat template");
  f("eval.at_start", r.eval.at_start, any_value, free_to_change, "before the first step too");
  f("parallel.pipeline", r.parallel.pipeline, Range{1, 4096}, free_to_change,
    "stages that the layers are cut into, of the ranks of mpirun");
  f("parallel.expert", r.parallel.expert, Range{1, 4096}, free_to_change,
    "ranks that share the routed experts of a layer");
  f("parallel.schedule", r.parallel.schedule, any_value, free_to_change,
    "of the stages: 1f1b, zb-h1, or zb-2p, which takes up to twice the activations");
  f("parallel.hang_seconds", r.parallel.hang_seconds, at_least_0, free_to_change,
    "a rank that the others have waited for so long ends the run; 0: never");
  f("run.output", r.run.output, any_value, free_to_change, "folder of checkpoints, metrics and the model");
  f("run.precision", r.run.precision, any_value, fixed, "f32 or bf16");
  f("run.recompute", r.run.recompute, any_value, free_to_change, "less memory for activations, more time");
  f("run.recompute_layers", r.run.recompute_layers, at_least_0, free_to_change,
    "the same, of the first layers only");
  f("run.recompute_parts", r.run.recompute_parts, any_value, free_to_change,
    "of the other layers: norms, swiglu, up_projections, attention, dispatch");
  f("run.seed", r.run.seed, at_least_0, fixed, "of the initial weights and the order of the data");
  f("run.device", r.run.device, any_value, free_to_change,
    "cpu, cuda, or cuda:N for another GPU than the first");
  f("run.threads", r.run.threads, Range{0, 4096}, free_to_change, "0: all of the machine");
  f("run.log_every", r.run.log_every, at_least_1, free_to_change,
    "steps between lines of progress, and of expert_load.jsonl");
  f("run.max_seconds", r.run.max_seconds, at_least_0, free_to_change, "the run ends after this; 0: no limit");
  f("run.stop_at", r.run.stop_at, at_least_0, free_to_change,
    "leave after this step, to be resumed; 0: never");
  f("chat.template", r.chat.chat_template, any_value, free_to_change,
    "Jinja file of the chat template; default: that of the tokenizer's folder");
  f("chat.overlong", r.chat.overlong, any_value, free_to_change,
    "of conversations longer than data.sequence_length: drop, or cut their end");
  f("chat.strict", r.chat.strict, any_value, free_to_change,
    "the first row that cannot be used is an error, instead of being counted and left out");
  f("reward.data", r.reward.data, any_value, fixed, "pairs: preferences; points: answers with a score");
  f("reward.points", r.reward.points, any_value, by_request,
    "loss of points: binary (cross-entropy) or squared (error)");
  f("reward.centring", r.reward.centring, at_least_0, by_request,
    "weight of (chosen + rejected)^2, which keeps scores near 0");
  f("dpo.form", r.dpo.form, any_value, by_request, "sigmoid, robust, ipo or hinge");
  f("dpo.beta", r.dpo.beta, at_least_0, by_request, "how far the policy may go from the reference");
  f("dpo.label_smoothing", r.dpo.label_smoothing, fraction, by_request,
    "chance that a preference is the wrong way round");
  f("dpo.per_token", r.dpo.per_token, any_value, by_request,
    "log-probabilities are means over an answer's tokens");
  f("dpo.reference", r.dpo.reference, any_value, free_to_change,
    "model folder of the frozen reference; default: model.init_from");
  f("grpo.group", r.grpo.group, Range{2, 4096}, by_request, "answers to a question");
  f("grpo.max_tokens", r.grpo.max_tokens, at_least_1, by_request, "of an answer");
  f("grpo.temperature", r.grpo.temperature, Range{0.01, 100}, by_request, "that answers are sampled at");
  f("grpo.sequences_at_once", r.grpo.sequences_at_once, Range{1, 65536}, free_to_change,
    "answers that are generated at once");
  f("grpo.minibatches", r.grpo.minibatches, Range{1, 4096}, by_request, "steps that a rollout is divided into");
  f("grpo.passes", r.grpo.passes, Range{1, 64}, by_request, "over a rollout");
  f("grpo.form", r.grpo.form, any_value, by_request, "sequence, token, token_mean, dr_grpo or gspo");
  f("grpo.clip_low", r.grpo.clip_low, fraction, by_request, "ratios below 1 minus this are clipped");
  f("grpo.clip_high", r.grpo.clip_high, at_least_0, by_request, "ratios above 1 plus this are clipped");
  f("grpo.beta", r.grpo.beta, at_least_0, by_request, "weight of the KL term; 0: none, and no reference");
  f("grpo.length", r.grpo.length, at_least_0, by_request,
    "dr_grpo: the length that stands for every answer's; 0: grpo.max_tokens");
  f("grpo.std", r.grpo.std, any_value, by_request,
    "what a group's rewards are divided by: sample, population or none");
  f("grpo.keep_skipped", r.grpo.keep_skipped, any_value, by_request,
    "groups of equal rewards stay in the KL term and the denominators");
  f("grpo.mask_truncated", r.grpo.mask_truncated, any_value, by_request,
    "answers that the limit cut off take no part");
  f("grpo.replay_experts", r.grpo.replay_experts, any_value, by_request,
    "training takes the experts that the rollout chose");
  f("grpo.gap_alarm", r.grpo.gap_alarm, at_least_0, free_to_change,
    "warn when a token's log-probability is so far from the engine's; 0: never");
  f("grpo.reference", r.grpo.reference, any_value, free_to_change,
    "model folder of the frozen reference; default: model.init_from");
  f("grpo.reward", r.grpo.reward, any_value, by_request, "tables of rewards: name, kind, weight, ...");
  f("sft.last_turn", r.sft.last_turn, any_value, free_to_change, "learn a conversation's last answer only");
}

}  // namespace fathom
