// The fields of config.json that make a model one with a score head (transformers'
// ...ForSequenceClassification): the architecture's name says so, and how many labels there are stands in
// num_labels or id2label.
#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "model/config_fields.h"

namespace fathom {
namespace {

constexpr std::string_view scoring = "ForSequenceClassification", generating = "ForCausalLM";

bool is_scoring(const JsonObject& o) {
  if (!o.has("architectures")) return false;
  const auto names = o.required<std::vector<std::string>>("architectures");
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.ends_with(scoring); });
}

// transformers writes id2label only where there are not two labels.
int64_t read_label_count(const JsonObject& o) {
  constexpr int64_t where_neither_is_given = 2;
  if (!o.has("id2label")) return o.optional<int64_t>("num_labels", where_neither_is_given);
  const Json& labels = o.json()["id2label"];
  check(labels.is_object(), "{}: field 'id2label' must be an object", o.where());
  const auto count = static_cast<int64_t>(labels.size()), number = o.optional<int64_t>("num_labels", count);
  check(number == count, "{}: field 'num_labels' is {}, and 'id2label' has {} labels", o.where(), number,
        count);
  return count;
}

bool ends_texts(const Config& c, int64_t id) {
  return std::find(c.eos_token_ids.begin(), c.eos_token_ids.end(), id) != c.eos_token_ids.end();
}

}  // namespace

void read_score_head(const JsonObject& o, Config& c) {
  if (!is_scoring(o)) return;
  c.num_labels = read_label_count(o);
  check(c.num_labels > 0, "{}: field 'num_labels' is {}: a model that scores has at least 1", o.where(),
        c.num_labels);
  c.problem_type = o.optional<std::string>("problem_type", "");
  if (o.has("pad_token_id")) c.pad_token_id = o.required<int64_t>("pad_token_id");
  if (c.pad_token_id && ends_texts(c, *c.pad_token_id))
    log::warn_once(fmt::format(
        "{}: field 'pad_token_id' is {}, an eos_token_id: transformers scores the token before it, fathom "
        "the last one",
        o.where(), *c.pad_token_id));
}

void write_score_head(const Config& c, OrderedJson& j) {
  auto name = j["architectures"][0].get<std::string>();
  j["architectures"] = {name.replace(name.rfind(generating), generating.size(), scoring)};
  OrderedJson names = OrderedJson::object(), ids = OrderedJson::object();
  for (int64_t i = 0; i < c.num_labels; ++i) {
    const std::string label = "LABEL_" + std::to_string(i);
    names[std::to_string(i)] = label;
    ids[label] = i;
  }
  j["id2label"] = std::move(names);
  j["label2id"] = std::move(ids);
  j["pad_token_id"] = c.pad_token_id ? OrderedJson(*c.pad_token_id) : OrderedJson(nullptr);
  if (!c.problem_type.empty()) j["problem_type"] = c.problem_type;
}

void check_language_model(const Config& c, const std::string& where) {
  check(!c.has_score_head(),
        "{}: a model that scores texts, with score.weight in place of lm_head.weight: it is no "
        "language model and generates none",
        where);
}

Config with_score_head(const Config& config, int64_t num_labels, std::optional<int64_t> pad,
                       const std::string& where) {
  check(num_labels > 0, "{}: a score head has at least 1 label, not {}", where, num_labels);
  check(!pad || !ends_texts(config, *pad),
        "{}: pad_token_id {} is an eos_token_id: transformers would not score the token that ends a text",
        where, pad.value_or(0));
  Config c = config;
  c.num_labels = num_labels;
  c.pad_token_id = pad;
  check_config(c, where);
  return c;
}

}  // namespace fathom
