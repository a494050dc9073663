#include "eval/measured.h"

#include "base/error.h"

namespace fathom {
namespace {

FinishReason finish_named(const std::string& name, const std::string& where) {
  for (const FinishReason reason : {FinishReason::stop, FinishReason::length, FinishReason::context})
    if (name == name_of(reason)) return reason;
  fail("{}: unknown finish '{}'", where, name);
}

OrderedJson option_json(const MeasuredOption& option) {
  OrderedJson json = {{"sum", option.sum}};
  if (option.tokens.empty())
    json["ids"] = option.ids;
  else
    json["tokens"] = option.tokens;
  if (option.unconditional) json["unconditional"] = *option.unconditional;
  return json;
}

MeasuredOption option_of(const JsonObject& json) {
  MeasuredOption option{{}, json.required<double>("sum"), {}};
  if (json.has("tokens"))
    option.tokens = json.required<std::vector<std::string>>("tokens");
  else
    option.ids = json.required<std::vector<int32_t>>("ids");
  if (json.has("unconditional")) option.unconditional = json.required<double>("unconditional");
  return option;
}

}  // namespace

OrderedJson measured_json(const Measured& m) {
  OrderedJson json = {{"id", m.id}, {"prompt_hash", m.prompt_hash}, {"prompt_tokens", m.prompt_tokens}};
  if (!m.asked_hash.empty()) json["asked_hash"] = m.asked_hash;
  if (!m.prompts.empty()) json["shots"] = m.shots;
  if (m.truncated) json["truncated"] = true;
  if (!m.not_run.empty()) json["not_run"] = m.not_run;
  for (const MeasuredOption& option : m.options) json["options"].push_back(option_json(option));
  for (const MeasuredSample& s : m.samples)
    json["samples"].push_back({{"output", s.output}, {"tokens", s.tokens}, {"finish", name_of(s.finish)}});
  if (m.bytes > 0) json["nats"] = m.nats, json["tokens"] = m.tokens, json["bytes"] = m.bytes;
  json["prompts"] = m.prompts;
  return json;
}

Measured measured_from_json(const Json& line, const std::string& where) {
  const JsonObject json(line, where);
  Measured m;
  m.id = json.required<std::string>("id"), m.prompt_hash = json.required<std::string>("prompt_hash");
  m.asked_hash = json.optional<std::string>("asked_hash", "");
  m.prompts = json.required<std::vector<std::string>>("prompts");
  m.prompt_tokens = json.required<int64_t>("prompt_tokens"), m.shots = json.optional<int64_t>("shots", 0);
  m.truncated = json.optional<bool>("truncated", false),
  m.not_run = json.optional<std::string>("not_run", "");
  for (const Json& option : json.optional<std::vector<Json>>("options", {}))
    m.options.push_back(option_of(JsonObject(option, where)));
  for (const Json& sample : json.optional<std::vector<Json>>("samples", {})) {
    const JsonObject s(sample, where);
    m.samples.push_back({s.required<std::string>("output"), s.required<int64_t>("tokens"),
                         finish_named(s.required<std::string>("finish"), where)});
  }
  m.nats = json.optional<double>("nats", 0);
  m.tokens = json.optional<int64_t>("tokens", 0), m.bytes = json.optional<int64_t>("bytes", 0);
  return m;
}

}  // namespace fathom
