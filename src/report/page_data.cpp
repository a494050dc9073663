#include "report/page_data.h"

#include <fmt/format.h>

#include <string_view>

#include "page/page_json.h"
#include "page/short_names.h"

namespace fathom {
namespace {

constexpr size_t longest_value = 2000;  // of a recipe, or a reason, in the page

OrderedJson series_json(const Series& series) {
  OrderedJson steps = OrderedJson::array(), last = steps, low = steps, high = steps;
  bool ranges = false;
  for (const Series::Bucket& bucket : series.filled()) {
    steps.push_back(bucket.step), last.push_back(rounded(bucket.last));
    low.push_back(rounded(bucket.low)), high.push_back(rounded(bucket.high));
    ranges = ranges || bucket.low != bucket.high;
  }
  OrderedJson json = {{"steps", std::move(steps)}, {"last", std::move(last)}};
  if (ranges) json["low"] = std::move(low), json["high"] = std::move(high);
  if (series.not_finite_count() > 0)
    json["not_finite"] = {{"count", series.not_finite_count()}, {"steps", series.not_finite()}};
  return json;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t k) {
      return i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0u;
    };
    const uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

OrderedJson load_json(const LoadLog& load) {
  return {{"layers", load.layers},
          {"experts", load.experts},
          {"steps", load.steps},
          {"codes", base64(load.codes)}};
}

// Values as texts: the page compares and shows them.
OrderedJson recipe_json(const OrderedJson& recipe) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [key, value] : recipe.items()) {
    const std::string text =
        value.is_string() ? value.get<std::string>()
                          : OrderedJson(value).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
    json[key] = text.substr(0, longest_value);
  }
  return json;
}

OrderedJson number_json(const std::optional<double>& value) {
  return value ? OrderedJson(rounded(*value)) : OrderedJson();
}

OrderedJson rollout_json(const RolloutGroup& group) {
  OrderedJson answers = OrderedJson::array();
  for (const RolloutAnswer& a : group.answers)
    answers.push_back({{"text", a.text},
                       {"tokens", a.tokens},
                       {"truncated", a.truncated},
                       {"reward", number_json(a.reward)},
                       {"advantage", number_json(a.advantage)},
                       {"parts", a.parts}});
  return {{"step", group.step}, {"prompt", group.prompt}, {"count", group.count}, {"answers", std::move(answers)}};
}

OrderedJson run_json(const RunFolder& run, const std::string& name) {
  OrderedJson json = {{"name", name},
                      {"path", run.path},
                      {"start", run.metrics.start_time},
                      {"last_step", run.metrics.last_step},
                      {"series", OrderedJson::object()}};
  for (const auto& [key, series] : run.metrics.series) json["series"][key] = series_json(series);
  if (!run.load.steps.empty()) json["load"] = load_json(run.load);
  json["samples"] = OrderedJson::array();
  for (const TextSample& sample : run.samples)
    json["samples"].push_back({{"step", sample.step}, {"prompt", sample.prompt}, {"text", sample.text}});
  json["rollouts"] = OrderedJson::array();
  for (const RolloutGroup& group : run.rollouts) json["rollouts"].push_back(rollout_json(group));
  json["rollbacks"] = OrderedJson::array();
  for (const RunRollBack& r : run.rollbacks)
    json["rollbacks"].push_back({{"step", r.step}, {"to", r.to}, {"why", r.why.substr(0, longest_value)}});
  json["recipe"] = recipe_json(run.recipe);
  return json;
}

}  // namespace

std::string page_data(std::span<const RunFolder> runs) {
  std::vector<std::string> paths;
  for (const RunFolder& run : runs) paths.push_back(run.path);
  const std::vector<std::string> names = short_names(paths);
  OrderedJson json = {{"runs", OrderedJson::array()}};
  for (size_t i = 0; i < runs.size(); ++i) json["runs"].push_back(run_json(runs[i], names[i]));
  return script_json(json);
}

}  // namespace fathom
