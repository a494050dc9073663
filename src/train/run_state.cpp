#include "train/run_state.h"

#include "base/error.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "model/adapter_config.h"

namespace fathom {
namespace {

constexpr int64_t format_version = 1;

OrderedJson to_json(const AnomalyHistory& history) {
  return {{"losses", history.losses},
          {"log_norms", history.norms},
          {"skipped", history.skipped},
          {"in_a_row", history.in_a_row},
          {"flagged", history.flagged}};
}

// Checkpoints of earlier releases do not say which steps were flagged.
AnomalyHistory anomalies_from(const JsonObject& json) {
  const auto losses = json.required<std::vector<double>>("losses"),
             norms = json.required<std::vector<double>>("log_norms");
  const auto flagged = json.optional<std::vector<int64_t>>("flagged", {});
  return {.losses = {losses.begin(), losses.end()},
          .norms = {norms.begin(), norms.end()},
          .skipped = json.required<int64_t>("skipped"),
          .in_a_row = json.required<int64_t>("in_a_row"),
          .flagged = {flagged.begin(), flagged.end()}};
}

OrderedJson to_json(const std::vector<RollBack>& rollbacks) {
  OrderedJson all = rollbacks_to_json(rollbacks);
  for (size_t i = 0; i < rollbacks.size(); ++i) all[i]["taken"] = rollbacks[i].taken;
  return all;
}

RollBack rollback_from(const JsonObject& json) {
  RollBack r = {json.required<int64_t>("step"), json.required<int64_t>("to"),
                json.required<std::string>("why"), json.required<std::vector<int64_t>>("taken")};
  bool counts = r.to >= 0 && r.to < r.step && !r.taken.empty();
  for (const int64_t n : r.taken) counts = counts && n >= 0;
  check(counts, "{}: 'rollbacks' has one from step {} to {}, after {} sources", json.where(), r.step, r.to,
        r.taken.size());
  return r;
}

MixtureStart mixture_from(const JsonObject& trainer, int64_t windows_read) {
  if (!trainer.has("mixture")) return {};
  const JsonObject o = trainer.child("mixture");
  MixtureStart m = {o.required<std::vector<double>>("weights"), o.required<int64_t>("since"),
                    o.required<std::vector<int64_t>>("taken")};
  m.check_whole(o.where());
  check(m.since <= windows_read, "{}: begins after {} windows, of {} that were read", o.where(), m.since,
        windows_read);
  return m;
}

}  // namespace

OrderedJson rollbacks_to_json(const std::vector<RollBack>& rollbacks) {
  OrderedJson all = OrderedJson::array();
  for (const RollBack& r : rollbacks) all.push_back({{"step", r.step}, {"to", r.to}, {"why", r.why}});
  return all;
}

Json read_trainer_json(const std::string& path) {
  Json json = read_json(path);
  const auto format = JsonObject(json, path).required<int64_t>("format");
  check(format == format_version, "{}: format {} is not known: expected {}", path, format, format_version);
  return json;
}

RunState read_run_state(const std::string& path) {
  const Json json = read_trainer_json(path);
  const JsonObject o(json, path);
  RunState state = {o.required<int64_t>("step"),         o.required<int64_t>("tokens"),
                    o.required<int64_t>("windows_read"), o.required<int64_t>("data_tokens"),
                    o.optional<std::string>("data", ""), o.optional<std::string>("tokenizer", "")};
  check(state.step >= 0 && state.tokens >= 0 && state.windows_read >= 0, "{}: negative counters", path);
  state.base = o.optional<std::string>("base", ""), state.adapter = o.optional<std::string>("adapter", "");
  if (o.has("anomalies")) state.anomalies = anomalies_from(o.child("anomalies"));
  state.mixture = mixture_from(o, state.windows_read);
  for (const Json& one : o.optional<std::vector<Json>>("rollbacks", {}))
    state.rollbacks.push_back(rollback_from({one, path}));
  return state;
}

// A folder of adapters has no config.json.
Config checkpoint_config(const std::string& checkpoint) {
  if (!is_adapter_folder(checkpoint)) return read_config(checkpoint);
  const std::string path = file_in(checkpoint, "trainer.json");
  const Json trainer = read_trainer_json(path);
  return config_from_json(JsonObject(trainer, path).child("config").json(), path);
}

void write_run_state(const std::string& path, const RunState& state, const Recipe& recipe,
                     const Config& config) {
  OrderedJson trainer = {{"format", format_version},         {"step", state.step},
                         {"tokens", state.tokens},           {"windows_read", state.windows_read},
                         {"data_tokens", state.data_tokens}, {"data", state.data},
                         {"tokenizer", state.tokenizer},     {"recipe", recipe_to_json(recipe)}};
  if (config.lora) {
    trainer["base"] = state.base;
    if (!state.adapter.empty()) trainer["adapter"] = state.adapter;
    trainer["config"] = config_to_json(config, "");
  }
  if (const MixtureStart& m = state.mixture; !m.weights.empty())
    trainer["mixture"] = {{"weights", m.weights}, {"since", m.since}, {"taken", m.taken}};
  trainer["anomalies"] = to_json(state.anomalies);
  if (!state.rollbacks.empty()) trainer["rollbacks"] = to_json(state.rollbacks);
  write_file(path, trainer.dump(2) + "\n");
}

void note_rollback(const std::string& path, const RunState& state) {
  OrderedJson trainer = OrderedJson::parse(read_file(path));
  trainer["anomalies"] = to_json(state.anomalies);
  trainer["rollbacks"] = to_json(state.rollbacks);
  write_file(path, trainer.dump(2) + "\n");
}

}  // namespace fathom
