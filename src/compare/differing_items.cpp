#include "compare/differing_items.h"

#include <algorithm>
#include <set>

#include "eval/score_record.h"
#include "page/page_json.h"

namespace fathom {
namespace {

constexpr size_t longest_word = 300;  // bytes of an option, a key, an answer that was found

// The beginning and the end of a long text.
std::string both_ends(const std::string& text, size_t most) {
  if (text.size() <= most) return text;
  return shortened(text, 2 * most / 3) + "\n" + shortened_left(text, most / 3);
}

std::vector<std::string> texts_of(const Json& record, const char* key, size_t most_texts) {
  std::vector<std::string> all;
  if (record.contains(key) && record[key].is_array())
    for (const Json& one : record[key])
      if (all.size() < most_texts)
        all.push_back(one.is_string() ? shortened(one.get<std::string>(), longest_word) : "");
  return all;
}

class Items {
 public:
  Items(const JoinedTask& task, size_t headline, size_t cap, const ItemLimits& limits)
      : task_(task), metrics_(task.of_run[0]->metrics), headline_(headline), cap_(cap), limits_(limits) {}

  OrderedJson json() {
    OrderedJson pairs = OrderedJson::array(), items = OrderedJson::array();
    for (size_t a = 0; a < task_.runs.size(); ++a)
      for (size_t b = a + 1; b < task_.runs.size(); ++b) {
        pairs.push_back({task_.runs[a], task_.runs[b], counts(a, b)});
        choose(a, b);
      }
    for (const size_t i : chosen_) items.push_back(item_json(i));
    return {{"metrics", metrics_}, {"cap", cap_}, {"pairs", std::move(pairs)}, {"items", std::move(items)}};
  }

 private:
  double score(size_t item, size_t run, size_t metric) const {
    return task_.items[item][run]->scores[metric];
  }

  OrderedJson counts(size_t a, size_t b) const {
    OrderedJson all = OrderedJson::array();
    for (size_t m = 0; m < metrics_.size(); ++m) {
      int64_t first = 0, second = 0;
      for (size_t i = 0; i < task_.items.size(); ++i)
        first += score(i, a, m) > score(i, b, m), second += score(i, b, m) > score(i, a, m);
      all.push_back({first, second});
    }
    return all;
  }

  // Evenly from those that one has better and those that the other has.
  void choose(size_t a, size_t b) {
    std::vector<size_t> kinds[2];
    for (size_t i = 0; i < task_.items.size(); ++i) {
      const double x = score(i, a, headline_), y = score(i, b, headline_);
      if (x != y) kinds[x < y].push_back(i);
    }
    const size_t smaller = std::min(kinds[0].size(), kinds[1].size());
    const size_t of_smaller = std::min(smaller, cap_ / 2);
    for (std::vector<size_t>& kind : kinds) {
      const size_t most = kind.size() == smaller ? of_smaller : cap_ - of_smaller;
      const size_t n = std::min(kind.size(), most);
      for (size_t k = 0; k < n; ++k) chosen_.insert(kind[k * kind.size() / n]);
    }
  }

  OrderedJson item_json(size_t i) const {
    OrderedJson json = {{"id", shortened(task_.items[i][0]->id, longest_word)},
                        {"runs", OrderedJson::array()}};
    for (size_t r = 0; r < task_.runs.size(); ++r) {
      const ScoredItem& item = *task_.items[i][r];
      const Json record = read_record(task_.of_run[r]->records, item.begin, item.end);
      if (r == 0) add_question(record, json);
      json["runs"].push_back(answer_json(record, item, task_.runs[r]));
    }
    return json;
  }

  // What is the same for all.
  void add_question(const Json& record, OrderedJson& json) const {
    const JsonObject object(record, "record");
    const auto prompts = object.optional<std::vector<std::string>>("prompts", {});
    for (const std::string& prompt : prompts)
      if (json["prompts"].size() < 8)
        json["prompts"].push_back(shortened_left(prompt, limits_.prompt / prompts.size()));
    if (object.has("gold")) json["gold"] = object.required<int64_t>("gold");
    json["labels"] = texts_of(record, "labels", 26);
    json["keys"] = texts_of(record, "keys", 8);
    for (const Json& option : object.optional<std::vector<Json>>("options", {}))
      if (option.is_object())
        json["texts"].push_back(
            shortened(JsonObject(option, "option").optional<std::string>("text", ""), longest_word));
  }

  OrderedJson answer_json(const Json& record, const ScoredItem& item, size_t model) const {
    const JsonObject object(record, "record");
    OrderedJson json = {{"model", model}, {"scores", item.scores}};
    if (object.has("not_run"))
      json["not_run"] = shortened(object.required<std::string>("not_run"), longest_word);
    for (const Json& option : object.optional<std::vector<Json>>("options", {}))
      json["options"].push_back(rounded(JsonObject(option, "option").required<double>("sum")));
    if (object.has("picked")) json["picked"] = object.child("picked").json();
    for (const Json& sample : object.optional<std::vector<Json>>("samples", {}))
      if (json["outputs"].size() < 4) {
        const JsonObject s(sample, "sample");
        json["outputs"].push_back({both_ends(s.required<std::string>("output"), limits_.output),
                                   s.optional<std::string>("finish", "")});
      }
    if (object.has("answers")) {
      const JsonObject answers = object.child("answers");
      for (const auto& [name, found] : answers.json().items())
        json["answers"][name] = texts_of(answers.json(), name.c_str(), 4);
    }
    return json;
  }

  const JoinedTask& task_;
  const std::vector<std::string>& metrics_;
  size_t headline_, cap_;
  ItemLimits limits_;
  std::set<size_t> chosen_;
};

// By which a task's items are chosen; the number of metrics where it has none.
size_t headline_metric(const Comparison& c, const JoinedTask& task) {
  const std::vector<std::string>& metrics = task.of_run[0]->metrics;
  for (const Measure& m : c.measures)
    if (m.headline && m.task == task.task)
      return static_cast<size_t>(std::find(metrics.begin(), metrics.end(), m.metric) - metrics.begin());
  return metrics.size();
}

}  // namespace

OrderedJson differing_items_json(const Comparison& c, const ItemLimits& limits) {
  size_t pairs = 0;
  for (const JoinedTask& task : c.tasks) pairs += task.runs.size() * (task.runs.size() - 1) / 2;
  const size_t cap = std::clamp<size_t>(limits.items / std::max<size_t>(pairs, 1), 2, limits.per_pair);
  OrderedJson json = OrderedJson::object();
  for (const JoinedTask& task : c.tasks) {
    const size_t headline = headline_metric(c, task);
    if (task.of_run[0]->judged || task.runs.size() < 2 || headline == task.of_run[0]->metrics.size())
      continue;
    json[task.task] = Items(task, headline, cap, limits).json();
  }
  return json;
}

}  // namespace fathom
