#include "compare/joined_task.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/error.h"

namespace fathom {
namespace {

// Two runs of a task.
struct RunPair {
  const std::string& task;
  const EvaluatedRun &first, &second;

  [[noreturn]] void fail_different(const std::string& what, const std::string& of_first,
                                   const std::string& of_second, const std::string& hint) const {
    fail("{}: {} and {} are not to be compared: {} is {} and {}{}", task, first.name, second.name, what,
         of_first, of_second, hint);
  }
};

constexpr const char* common_hint = "; --common compares the items that both have";

std::string shown(const OrderedJson& parts, const std::string& name) {
  if (!parts.contains(name)) return "nothing";
  return parts[name].dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

void check_parts(const RunPair& pair, const OrderedJson& a, const OrderedJson& b, const std::string& prefix,
                 const std::string& hint) {
  std::set<std::string> names;
  for (const OrderedJson* parts : {&a, &b})
    for (const auto& [name, value] : parts->items()) names.insert(name);
  for (const auto& name : names) {
    const std::string of_a = shown(a, name), of_b = shown(b, name);
    if (of_a == of_b) continue;
    if (name == "data") check_parts(pair, a[name], b[name], "data ", hint);
    pair.fail_different(prefix + name, of_a, of_b, hint);
  }
}

// What is wrong with two records of one item; nothing where they may be compared.
std::string difference(const ScoredItem& a, const ScoredItem& b) {
  if (a.place.subject != b.place.subject || a.place.cluster != b.place.cluster)
    return "stands in another place";
  if (!a.right.empty() && !b.right.empty() && a.right != b.right) return "has another right answer";
  if (a.weights != b.weights && a.asked == b.asked && !a.asked.empty()) return "counts otherwise";
  if (a.not_run || b.not_run) return "";  // shown nothing: it is wrong, whatever the prompt
  if (a.shots != b.shots) return fmt::format("was shown {} and {} examples", a.shots, b.shots);
  if (a.asked != b.asked) return "has another prompt";
  if (a.truncated != b.truncated) return "has a prompt that lost its beginning in one of them";
  return "";
}

class Joining {
 public:
  Joining(std::span<const EvaluatedRun> all, const std::string& task, bool common)
      : all_(all), common_(common) {
    joined_.task = task;
    for (size_t r = 0; r < all.size(); ++r)
      if (const auto at = all[r].tasks.find(task); at != all[r].tasks.end())
        joined_.runs.push_back(r), joined_.of_run.push_back(&at->second);
  }

  JoinedTask join() {
    for (size_t k = 1; k < joined_.runs.size(); ++k) check_identity(k);
    std::vector<std::unordered_map<std::string_view, const ScoredItem*>> by_id;
    for (const ScoredTask* task : joined_.of_run) {
      auto& items = by_id.emplace_back();
      for (const ScoredItem& item : task->items) items.emplace(item.id, &item);
    }
    for (const ScoredItem& item : joined_.of_run[0]->items) add(item, by_id);
    check_counts();
    return std::move(joined_);
  }

 private:
  RunPair pair_with(size_t k) const { return {joined_.task, all_[joined_.runs[0]], all_[joined_.runs[k]]}; }

  void check_identity(size_t k) const {
    const ScoredTask &a = *joined_.of_run[0], &b = *joined_.of_run[k];
    check_parts(pair_with(k), a.identity, b.identity, "", "");
    if (!common_) check_parts(pair_with(k), a.data_identity, b.data_identity, "", common_hint);
    check(a.metrics == b.metrics,
          "{}: {} and {} have other metrics: score one again with fathom eval --rescore", joined_.task,
          pair_with(k).first.name, pair_with(k).second.name);
  }

  // Judgements are there or not, item by item; what fathom eval measures must be there.
  bool may_lack() const { return common_ || joined_.of_run[0]->judged; }

  void add(const ScoredItem& item,
           const std::vector<std::unordered_map<std::string_view, const ScoredItem*>>& by_id) {
    std::vector<const ScoredItem*> row = {&item};
    for (size_t k = 1; k < by_id.size(); ++k) {
      const auto at = by_id[k].find(item.id);
      const std::string wrong = at == by_id[k].end() ? "is not there" : difference(item, *at->second);
      if (wrong.empty() || (joined_.of_run[0]->judged && at != by_id[k].end())) {
        row.push_back(at->second);
        continue;
      }
      const RunPair pair = pair_with(k);
      check(may_lack(), "{}: {} and {} are not to be compared: item {} {}{}", joined_.task, pair.first.name,
            pair.second.name, item.id, wrong, common_hint);
      return;
    }
    joined_.items.push_back(std::move(row));
  }

  void check_counts() {
    size_t most = 0;
    for (size_t k = 0; k < joined_.runs.size(); ++k) {
      const size_t own = joined_.of_run[k]->items.size();
      most = std::max(most, own);
      if (own == joined_.items.size() || may_lack()) continue;
      const RunPair pair = pair_with(k);
      pair.fail_different("the number of items", std::to_string(joined_.of_run[0]->items.size()),
                          std::to_string(own), common_hint);
    }
    check(!joined_.items.empty(), "{}: the runs have no item in common that was asked alike", joined_.task);
    joined_.left_out = static_cast<int64_t>(most - joined_.items.size());
    if (joined_.left_out > 0)
      joined_.remarks.push_back(fmt::format(
          "{} of {} items are left out: not all runs have them, asked alike", joined_.left_out, most));
  }

  std::span<const EvaluatedRun> all_;
  bool common_;
  JoinedTask joined_;
};

}  // namespace

std::vector<JoinedTask> join_tasks(std::span<const EvaluatedRun> runs, bool common) {
  std::vector<std::string> names;
  for (const EvaluatedRun& run : runs)
    for (const auto& [name, task] : run.tasks)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  std::vector<JoinedTask> joined;
  for (const std::string& name : names) joined.push_back(Joining(runs, name, common).join());
  return joined;
}

}  // namespace fathom
