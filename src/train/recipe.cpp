// The table of recipe keys, and what is done by walking it: set, list, write, check.
#include "train/recipe.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/nearest.h"
#include "base/parse_number.h"
#include "model/extension.h"
#include "train/recipe_toml.h"

namespace fathom {
namespace {

// What values a number may have.
struct Range {
  double low, high;
};
constexpr double huge = 1e18;
constexpr Range at_least_0{0, huge}, at_least_1{1, huge}, fraction{0, 1},
    below_1{0, 1 - std::numeric_limits<double>::epsilon() / 2}, any_value{-huge, huge};

constexpr OnResume free_to_change = OnResume::free, by_request = OnResume::by_request,
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
}

// What each type of member reads from and writes to.
template <class T>
void read(const Json& json, const JsonPlace& place, T& out) {
  out = read_value<T>(json, place);
}
void read(const Json& json, const JsonPlace& place, std::vector<std::string>& out) {
  if (json.is_string())  // one path needs no brackets
    out = {json.get<std::string>()};
  else
    out = read_value<std::vector<std::string>>(json, place);
}
void read(const Json& json, const JsonPlace& place, Decay& out) {
  const auto name = read_value<std::string>(json, place);
  check(name == "constant" || name == "step" || name == "cosine",
        "{}: '{}' is '{}': expected constant, step or cosine", place.where, place.field, name);
  out = name == "step" ? Decay::step : name == "cosine" ? Decay::cosine : Decay::constant;
}
void read(const Json& json, const JsonPlace& place, ScheduleKind& out) {
  const auto name = read_value<std::string>(json, place);
  const auto kind = std::find_if(schedule_kinds.begin(), schedule_kinds.end(),
                                 [&](ScheduleKind k) { return name == name_of(k); });
  check(kind != schedule_kinds.end(), "{}: '{}' is '{}': expected 1f1b, zb-h1 or zb-2p", place.where,
        place.field, name);
  out = *kind;
}
void read(const Json& json, const JsonPlace& place, DType& out) {
  const auto name = read_value<std::string>(json, place);
  check(name == "f32" || name == "bf16", "{}: '{}' is '{}': expected f32 or bf16", place.where, place.field,
        name);
  out = dtype_named(name);
}

template <class T>
OrderedJson written(const T& value) {
  return value;
}
OrderedJson written(const Decay& decay) {
  return decay == Decay::step ? "step" : decay == Decay::cosine ? "cosine" : "constant";
}
OrderedJson written(const ScheduleKind& kind) {
  return name_of(kind);
}
OrderedJson written(const DType& dtype) {
  return std::string(name_of(dtype));
}

// The same for a number of type T.
template <class T>
Allowed<T> allowed_in(const Range& range) {
  Allowed<T> allowed;
  if (range.low > -huge) allowed.low = static_cast<T>(range.low);
  if (range.high < huge) allowed.high = static_cast<T>(range.high);
  if (std::is_floating_point_v<T> && range.high == below_1.high)
    allowed.high = 1, allowed.high_excluded = true;
  return allowed;
}

void check_number(double value, const Range& range, const JsonPlace& place) {
  check(value >= range.low && value <= range.high, "{}: '{}' must be {}, got {:g}", place.where, place.field,
        range_text(allowed_in<double>(range)), value);
}

template <class T>
void check_range(const T& value, const Range& range, const JsonPlace& place) {
  if constexpr (std::is_arithmetic_v<T>) check_number(static_cast<double>(value), range, place);
  if constexpr (std::is_same_v<T, std::vector<double>>)
    for (double v : value) check_number(v, range, place);
}

// "rope_scaling.factor" and so on, with example values: the keys that config.json may hold.
Json config_fields() {
  Config every;
  RopeScaling& rope = every.rope_scaling;
  rope.type = RopeType::yarn, rope.truncate = false;
  rope.attention_factor = rope.mscale = rope.mscale_all_dim = 1;
  every.q_lora_rank = 1;
  Config grouped = every;
  grouped.num_key_value_heads = 1;
  Json fields = Json::object();
  for (const Config& c : {every, grouped}) {
    const OrderedJson all = config_to_json(c, "float32");
    for (const auto& [key, value] : all.items()) {
      if (!value.is_object()) fields[key] = value;
      if (value.is_object())
        for (const auto& [inner, inner_value] : value.items()) fields[key + "." + inner] = inner_value;
    }
  }
  return fields;
}

const char* kind_of(const Json& example) {
  if (example.is_boolean()) return "true or false";
  if (example.is_number()) return "a number";
  return example.is_string() ? "a text" : "a list";
}
// eos_token_id may be one number or a list of them.
bool same_kind(const Json& example, const Json& value) {
  return std::string_view(kind_of(example)) == kind_of(value) || (example.is_number() && value.is_array());
}

constexpr std::string_view model_prefix = "model.";

// "hidden_size" of "model.hidden_size"; empty for a key of another section.
std::string config_field_of(const std::string& key) {
  return key.starts_with(model_prefix) ? key.substr(model_prefix.size()) : "";
}

// The balance loss is a part of training, not of the model.
OnResume on_resume_of_field(const std::string& field) {
  return field == "aux_loss_alpha" || field == "seq_aux" ? by_request : fixed;
}

std::vector<std::string> key_names() {
  std::vector<std::string> names;
  for (const RecipeKey& key : recipe_keys()) names.push_back(key.name);
  return names;
}

void set(Recipe& recipe, const Setting& s) {
  bool known = false;
  recipe.given.insert(s.key);
  visit_recipe(recipe, [&](const char* key, auto& member, const Range& range, OnResume, const char*) {
    if (s.key != key) return;
    known = true;
    read(s.value, {s.where, s.key}, member);
    check_range(member, range, {s.where, s.key});
  });
  if (known) return;
  const std::string field = config_field_of(s.key);
  const Json fields = config_fields();
  check(fields.contains(field), "{}: unknown key '{}' (value {}){}", s.where, s.key, s.value.dump(),
        did_you_mean(s.key, key_names()));
  check(same_kind(fields[field], s.value), "{}: '{}' is {}: expected {} as in config.json", s.where, s.key,
        s.value.dump(), kind_of(fields[field]));
  const size_t dot = field.find('.');
  if (dot == std::string::npos)
    recipe.model.fields[field] = s.value;
  else
    recipe.model.fields[field.substr(0, dot)][field.substr(dot + 1)] = s.value;
}

// A recipe finds its config from any folder: model.config is relative to the recipe's own.
void resolve_beside(const std::string& recipe_path, Setting& s) {
  if (s.key != "model.config" || !s.value.is_string() || s.value == "") return;
  const std::filesystem::path folder = std::filesystem::path(recipe_path).parent_path();
  s.value = (folder / s.value.get<std::string>()).lexically_normal().string();
}

void check_schedule(const Recipe& r, const std::string& where) {
  const Recipe::Schedule& s = r.schedule;
  const int lengths = (s.steps > 0) + (s.tokens > 0) + (r.run.epochs > 0);
  check(lengths == 1, "{}: give one of schedule.steps, schedule.tokens and run.epochs; {}", where,
        lengths == 0 ? "none is there"
                     : fmt::format("they are {}, {} and {:g}", s.steps, s.tokens, r.run.epochs));
  check(s.decay == Decay::step || s.decay_at.empty(), "{}: schedule.decay_at needs schedule.decay = \"step\"",
        where);
  check(s.decay != Decay::step || !s.decay_at.empty(),
        "{}: schedule.decay = \"step\" needs schedule.decay_at", where);
  for (size_t i = 1; i < s.decay_at.size(); ++i)
    check(s.decay_at[i - 1] < s.decay_at[i], "{}: schedule.decay_at must rise, {:g} is followed by {:g}",
          where, s.decay_at[i - 1], s.decay_at[i]);
}

void check_weights(const Recipe::Data& data, const std::string& where) {
  const std::vector<double>& weights = data.weights;
  if (weights.empty()) return;
  check(weights.size() == data.train.size(), "{}: data.weights has {} numbers for {} entries of data.train",
        where, weights.size(), data.train.size());
  check(std::any_of(weights.begin(), weights.end(), [](double w) { return w > 0; }),
        "{}: data.weights: none is above 0", where);
  check(data.validation_fraction == 0,
        "{}: data.validation_fraction is of one stream, not of sources with data.weights: let fathom prepare "
        "set text aside, or name data.validation",
        where);
}

void check_together(const Recipe& r, const std::string& where) {
  check(!r.data.train.empty(), "{}: data.train is missing", where);
  check_weights(r.data, where);
  check(!r.run.output.empty(), "{}: run.output is missing", where);
  check(r.model.config.empty() || r.model.init_from.empty(),
        "{}: give one of model.config and model.init_from", where);
  check(!r.model.config.empty() || !r.model.init_from.empty() || !r.model.fields.empty(),
        "{}: no model: give model.config, model.init_from or its fields", where);
  check(r.model.extend_from == 0 || r.model.extend_to > 0, "{}: model.extend_from needs model.extend_to",
        where);
  const Recipe::Batch& b = r.batch;
  check(b.sequences % b.micro_batch == 0,
        "{}: batch.sequences = {} must be a multiple of batch.micro_batch = {}", where, b.sequences,
        b.micro_batch);
  check((b.ramp_from > 0) == (b.ramp_tokens > 0), "{}: batch.ramp_from and batch.ramp_tokens go together",
        where);
  check(b.ramp_from <= b.sequences, "{}: batch.ramp_from = {} must be at most batch.sequences = {}", where,
        b.ramp_from, b.sequences);
  const Recipe::Anomalies& a = r.anomaly;
  check(a.rollback <= a.window, "{}: anomaly.rollback = {} must be at most anomaly.window = {}", where,
        a.rollback, a.window);
  check_schedule(r, where);
}

// What acts between groups of experts needs two of them: with one, balance losses are constant and the load
// is the average.
void check_groups(const Config& c, const char* key, double value, const std::string& where) {
  check(value == 0 || (c.n_moe_layers() > 0 && c.expert_groups() > 1),
        "{}: '{}' is {:g}: the model needs groups of experts, topk_method = \"group_limited_greedy\" or "
        "\"noaux_tc\" and n_group above 1",
        where, key, value);
}

// Whether a text is meant in TOML's notation; a path stands for itself.
bool is_quoted_or_list(std::string_view text) {
  const size_t first = text.find_first_not_of(' ');
  return first != std::string_view::npos &&
         std::string_view("[\"'").find(text[first]) != std::string_view::npos;
}

}  // namespace

std::vector<RecipeKey> recipe_keys() {
  std::vector<RecipeKey> keys;
  Recipe defaults;
  visit_recipe(defaults,
               [&](const char* key, auto& member, const Range&, OnResume on_resume, const char* help) {
                 keys.push_back({key, help, written(member).dump(), on_resume});
               });
  const Json fields = config_fields();
  for (const auto& [field, example] : fields.items())
    keys.push_back({std::string(model_prefix) + field, "as in config.json", "", on_resume_of_field(field)});
  return keys;
}

Setting flag_setting(const std::string& key, const std::string& text) {
  Setting setting{key, {}, "command line"};
  const std::string flag = "--" + key;
  Recipe defaults;
  visit_recipe(defaults, [&](const char* name, auto& member, const Range& range, OnResume, const char*) {
    using T = std::decay_t<decltype(member)>;
    if (key != name) return;
    constexpr bool texts = std::is_same_v<T, std::vector<std::string>>;
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>)
      setting.value = parse_number<T>(flag, text, allowed_in<T>(range));
    else if (written(member).is_string() || (texts && !is_quoted_or_list(text)))
      setting.value = text;
  });
  if (setting.value.is_null()) setting.value = parse_toml_value(text);
  const Json fields = config_fields();
  const std::string field = config_field_of(key);
  if (!fields.contains(field)) return setting;
  const Json& example = fields[field];
  if (example.is_number_integer() && !setting.value.is_array())
    setting.value = parse_number<int64_t>(flag, text);
  else if (example.is_number_float())
    setting.value = parse_number<double>(flag, text);
  return setting;
}

Recipe read_recipe(const std::string& path, std::span<const Setting> overrides) {
  Recipe recipe;
  if (!path.empty())
    for (Setting& s : read_toml(path)) {
      resolve_beside(path, s);
      set(recipe, s);
    }
  for (const Setting& s : overrides) set(recipe, s);
  check_together(recipe, path.empty() ? "recipe" : path);
  return recipe;
}

OrderedJson recipe_to_json(const Recipe& recipe) {
  OrderedJson json;
  visit_recipe(recipe, [&](const char* key, const auto& member, const Range&, OnResume, const char*) {
    json[key] = written(member);
  });
  return json;
}

Config model_config(const Recipe& recipe) {
  const std::string base = recipe.model.config.empty() ? recipe.model.init_from : recipe.model.config;
  Json json = Json::object();
  if (!base.empty()) json = Json::parse(config_to_json(read_config(base), "float32").dump());
  for (const auto& [key, value] : recipe.model.fields.items()) {
    if (value.is_object() && json.contains(key) && json[key].is_object())
      json[key].update(value);
    else
      json[key] = value;
  }
  const std::string where = base.empty() ? "recipe [model]" : base + " with the recipe's [model]";
  Config config = config_from_json(json, where);
  const Recipe::Model& m = recipe.model;
  if (m.extend_to > 0) config = extended(config, m.extend_to, m.extend_from, where);
  check_groups(config, "model.device_balance_alpha", m.device_balance_alpha, where);
  check_groups(config, "model.communication_balance_alpha", m.communication_balance_alpha, where);
  check_groups(config, "model.capacity_factor", m.capacity_factor, where);
  check(m.bias_update_speed == 0 || (config.n_moe_layers() > 0 && config.topk_method == TopkMethod::noaux_tc),
        "{}: 'model.bias_update_speed' is {:g}: the model needs experts that are chosen with a bias, "
        "topk_method = \"noaux_tc\"",
        where, m.bias_update_speed);
  return config;
}

bool balances(const Recipe& recipe, const Config& config) {
  const Recipe::Model& m = recipe.model;
  return config.n_moe_layers() > 0 &&
         (config.aux_loss_alpha != 0 || m.device_balance_alpha != 0 || m.communication_balance_alpha != 0);
}

}  // namespace fathom
