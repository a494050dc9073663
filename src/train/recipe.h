// A training run as a file: every setting with its default. Read from TOML, where `[optimizer] lr = 3e-4` is
// the key optimizer.lr; each key is also a flag of `fathom train` (--optimizer.lr 3e-4), or of the command that
// a section is for. The one table of keys behind both is recipe_keys(). Paths are relative to the current directory, but for model.config in a
// recipe file, which is relative to the file: a recipe brings its config along.
#pragma once
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/json.h"
#include "model/config.h"
#include "tensor/dtype.h"
#include "train/pipeline_schedule.h"

namespace fathom {

// What a recipe is for: the command that runs it.
enum class TrainingMethod { train, sft, reward, dpo, grpo };
constexpr std::string_view name_of(TrainingMethod method) {
  constexpr std::string_view names[] = {"train", "sft", "reward", "dpo", "grpo"};
  return names[static_cast<size_t>(method)];
}

// How the learning rate continues after the warm-up.
enum class Decay { constant, step, cosine };

struct Recipe {
  TrainingMethod method = TrainingMethod::train;

  // The model: a config.json, the model folder to start from, or neither; and on top any key of config.json.
  struct Model {
    std::string config;            // path of a config.json
    std::string init_from;         // a model folder: its config and its weights
    Json fields = Json::object();  // config.json's keys, e.g. hidden_size
    int64_t extend_to = 0;         // longest context, by YaRN (model/extension.h); 0: that of the config
    int64_t extend_from = 0;       // the length that init_from was trained on; 0: its longest context
    // Weights of the balance losses between groups of experts, beside config.json's aux_loss_alpha.
    double device_balance_alpha = 0;         // of the groups' load
    double communication_balance_alpha = 0;  // of the tokens sent to the groups
    double capacity_factor = 0;  // room of a group over its average load of a sequence; 0: nothing is dropped
    double bias_update_speed = 0;  // of the bias that experts are chosen with, in a step; 0: it stands still
  } model;

  // Adapters that are trained in place of the weights of model.init_from (model/lora.h, docs/lora.md).
  struct Lora {
    int64_t rank = 0;  // 0: there are none, and all weights are trained
    double alpha = 32;
    bool rslora = false;
    std::vector<std::string> targets = {"all-linear"};  // as LoraOptions
    std::string init_from;  // an adapter's folder, in PEFT's form, to start from; its shape is then theirs

    bool trained() const { return rank > 0 || !init_from.empty(); }
  } lora;

  struct Data {
    std::vector<std::string> train;  // folders or shards that `fathom prepare` made
    std::vector<double> weights;     // of the entries of `train`, each then a source; none: one stream of all
    std::vector<std::string> validation;  // default: the validation shards in the folders of `train`
    double validation_fraction = 0;       // without any: the last part of the training tokens
    int64_t sequence_length = 4096;       // tokens of one sequence
    bool document_mask = false;           // a token attends to its own document only
    std::string tokenizer;                // tokenizer.json or its folder; default: beside the shards
    bool no_tokenizer = false;            // there is none: models are saved without
    bool verify = true;                   // read all shards at the start and compare their hashes
  } data;

  struct Optimizer {
    double lr = 3e-4;  // after the warm-up
    double beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
    double weight_decay = 0.1;  // of matrices; norms and biases are not decayed
    double clip = 1;            // largest gradient norm; 0: no clipping
  } optimizer;

  struct Schedule {
    int64_t steps = 0;         // the run's length: this number of steps ...
    int64_t tokens = 0;        // ... or of tokens, or run.epochs
    int64_t warmup_steps = 0;  // linear, from lr / warmup_steps
    Decay decay = Decay::constant;
    std::vector<double> decay_at;  // step: parts of the run after which the rate is multiplied by ...
    double decay_factor = 0.316;   // ... this
    double final_factor = 0.1;     // cosine: the last rate over lr
  } schedule;

  struct Batch {
    int64_t sequences = 8;    // per optimizer step
    int64_t micro_batch = 1;  // sequences worked on at once; their gradients are added up
    int64_t ramp_from = 0;    // sequences per step at the start, growing ...
    int64_t ramp_tokens = 0;  // ... to `sequences` over this number of tokens; 0: no ramp
  } batch;

  struct Validation {
    int64_t every = 0;        // steps between validations; 0: only at the end
    int64_t sequences = 256;  // sequences at most; 0: all
    bool at_start = false;    // before the first step too
  } validation;

  struct Checkpoint {
    int64_t every = 1000;  // steps between checkpoints; 0: only at the end
    int64_t keep = 2;      // the newest ones that stay
  } checkpoint;

  // Steps that are not like those before (train/anomaly_watch.h): flagged, left out of the training, or, when
  // they come again and again, undone by going back to a checkpoint (train/anomaly_reaction.h).
  struct Anomalies {
    bool skip = false;           // such a step changes no weight
    int64_t window = 64;         // steps that the next one is compared with
    double deviations = 8;       // above their median from which on it is a spike
    int64_t most_skipped = 10;   // in a row; one more ends the run, or rolls it back
    int64_t rollback = 0;        // of the last `window` steps, as many as roll the run back; 0: never
    int64_t most_rollbacks = 3;  // of the whole run; the next one ends it
  } anomaly;

  // Texts that the model writes while it trains, for people to read: OUT/samples.jsonl.
  struct Sample {
    std::vector<std::string> prompts;  // none: no samples
    int64_t every = 0;                 // steps between; 0: with each checkpoint
    int64_t tokens = 64;               // of an answer, at most
    double temperature = 0.7;          // 0: always the most likely token
  } sample;

  // Tasks that the model is scored on while it trains (cli/training_evaluation.h): OUT/eval, and the metrics.
  struct Eval {
    std::vector<std::string> tasks;  // names, or task files; none: no evaluation
    std::string data = ".";          // folder of the data sets' files
    int64_t every = 0;               // steps between; 0: at the start and the end only
    int64_t limit = 0;               // items of each file at most; 0: all
    int64_t sequences = 0;           // worked on at a time; 0: by the device
    bool chat = false;               // ask in conversations
    bool at_start = true;            // before the first step too
  } eval;

  struct Run {
    std::string output;            // folder of checkpoints, metrics and, at the end, the model
    DType precision = DType::f32;  // f32, or bf16: weights and activations in bf16, the rest in f32
    bool recompute = false;  // keep only each layer's input for the backward pass: less memory, more time
    int64_t recompute_layers = 0;                   // the same of the first layers only
    std::vector<std::string> recompute_parts = {};  // of the other layers: names of model/recompute.h
    uint64_t seed = 1;                              // of the initial weights and the order of the data
    std::string device = "cpu";                     // cpu, cuda, or cuda:N for another GPU than the first
    int64_t threads = 0;                            // of the CPU; 0: all of the machine
    int64_t log_every = 10;  // steps between lines of progress, and of expert_load.jsonl
    double epochs = 0;       // the run's length in passes over the data, fractions included
    double max_seconds = 0;  // the run ends after so much time; 0: no limit
    int64_t stop_at = 0;     // leave after this step, to be resumed; 0: never
  } run;

  // How the ranks that mpirun or srun starts share the work (train/parallel_plan.h). What is left of them
  // after both is data parallelism.
  struct Parallel {
    int64_t pipeline = 1;                               // stages that the layers are cut into
    int64_t expert = 1;                                 // ranks that share the routed experts of a layer
    ScheduleKind schedule = ScheduleKind::one_f_one_b;  // order of a stage's passes
    double hang_seconds = 600;  // a rank that the others have waited for so long ends the run; 0: never
  } parallel;

  // Conversations, in data.train and data.validation (align/chat_data.h).
  struct Chat {
    std::string chat_template;    // a Jinja file; default: that of the tokenizer's folder
    std::string overlong = "drop";  // than data.sequence_length: drop the row, or cut its end
    bool strict = false;          // the first row that cannot be used is an error
  } chat;

  // Supervised fine-tuning.
  struct Sft {
    bool last_turn = false;  // learn a conversation's last answer only
  } sft;

  // A reward model (align/reward_objective.h).
  struct Reward {
    std::string data = "pairs";       // preferences; or points: single answers with a score
    std::string points = "binary";    // the loss of points: binary cross-entropy, or squared error
    double centring = 0;              // weight of (chosen + rejected)^2, which keeps scores near 0
  } reward;

  // Direct preference optimization (align/objectives/preference.h).
  struct Dpo {
    std::string form = "sigmoid";  // sigmoid, robust, ipo or hinge
    double beta = 0.1;
    double label_smoothing = 0;
    bool per_token = false;   // log-probabilities are means over an answer's tokens instead of sums
    std::string reference;    // model folder; default: model.init_from
  } dpo;

  // Group relative policy optimization (align/rollout_source.h). batch.sequences questions are asked at once, and
  // batch.micro_batch is of sequences of up to data.sequence_length tokens that the answers are packed into.
  struct Grpo {
    int64_t group = 16;             // answers to a question
    int64_t max_tokens = 256;       // of an answer
    double temperature = 1;         // that answers are sampled at, and log-probabilities are of
    int64_t sequences_at_once = 64; // in the engine
    int64_t minibatches = 1;        // steps that a rollout is divided into
    int64_t passes = 1;             // over a rollout
    std::string form = "token";     // sequence, token, token_mean, dr_grpo or gspo
    double clip_low = 0.2, clip_high = 0.2;
    double beta = 0.04;             // weight of the KL term; 0: there is no reference
    int64_t length = 0;             // dr_grpo: the length that stands for every answer's; 0: max_tokens
    std::string std = "sample";     // that a group's rewards are divided by: sample, population or none
    bool keep_skipped = false;      // groups of equal rewards stay in the KL term and the denominators
    bool mask_truncated = false;    // answers that the limit cut off take no part
    bool replay_experts = true;     // training takes the experts that the rollout chose
    double gap_alarm = 0.5;         // warn when a token's log-probability is so far from the engine's; 0: never
    std::string reference;          // model folder; default: model.init_from
    Json reward = Json::array();    // [[grpo.reward]] (docs/rewards.md)
  } grpo;

  std::set<std::string> given;  // the keys that were set, by a file or a flag
};

// Whether a resumed run may have another value for a key: always, when it is asked for (--resume-with),
// never.
enum class OnResume { free, by_request, fixed };

// One key of the table.
struct RecipeKey {
  std::string name;  // "optimizer.lr"
  std::string help;
  std::string otherwise;  // its default, as text
  OnResume on_resume;
  bool list = false;  // of numbers or texts: its flag takes several values
};
// Every key of a method, the fields of config.json among them as model.hidden_size and so on.
std::vector<RecipeKey> recipe_keys(TrainingMethod method = TrainingMethod::train);

// A key with its value, and where it was given, for errors: "recipe.toml:12" or "command line".
struct Setting {
  std::string key;
  Json value;
  std::string where;
};
// From a flag's text: TOML's notation, where a text needs no quotes. Throws Error for an unknown key.
Setting flag_setting(const std::string& key, const std::string& text);
std::vector<Setting> read_toml(const std::string& path);

// A recipe file and the settings that override it. Error naming file, line, key and value for an unknown key,
// a value of the wrong type or out of range, a key of another method, or settings that do not go together.
// `path` may be empty.
Recipe read_recipe(const std::string& path, std::span<const Setting> overrides = {}, TrainingMethod method = TrainingMethod::train);

// The value of every key except the model's fields.
OrderedJson recipe_to_json(const Recipe& recipe);

// The configuration of the model to train. Error naming the key for a setting that it cannot have.
Config model_config(const Recipe& recipe);
// Whether training that model adds any balance loss.
bool balances(const Recipe& recipe, const Config& config);

}  // namespace fathom
