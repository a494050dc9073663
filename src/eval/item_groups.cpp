#include "eval/item_groups.h"

#include <fmt/format.h>

#include <map>

namespace fathom {
namespace {

class Grouping {
 public:
  Grouping(std::span<const ItemPlace> places, const SubjectPlan& plan) : plan_(plan) {
    std::map<std::string, std::map<std::string, std::vector<size_t>>> sorted;
    for (size_t i = 0; i < places.size(); ++i)
      sorted[places[i].subject][places[i].cluster].push_back(i), ++items_[places[i].subject];
    for (auto& [subject, clusters] : sorted)
      for (auto& [name, items] : clusters) {
        of_subject_[subject].push_back(groups_.clusters.size());
        groups_.clusters.push_back(std::move(items));
      }
    all_ = static_cast<int64_t>(places.size());
  }

  ItemGroups groups() {
    std::vector<std::vector<size_t>> together(1), subjects;
    for (const auto& [subject, clusters] : of_subject_) {
      together[0].insert(together[0].end(), clusters.begin(), clusters.end());
      subjects.push_back(clusters);
    }
    const bool whole = !plan_.has_subjects || of_subject_.size() == plan_.all;
    add(whole ? "items" : "items of " + label(), all_, std::move(together));
    if (!plan_.has_subjects) return std::move(groups_);
    add(label(), all_, std::move(subjects));
    add_categories();
    for (const auto& [subject, clusters] : of_subject_)
      add("subject " + subject, items_.at(subject), {clusters});
    return std::move(groups_);
  }

 private:
  void add(std::string over, int64_t items, std::vector<std::vector<size_t>> strata) {
    groups_.means.push_back({std::move(over), items, std::move(strata)});
  }

  void add_categories() {
    std::vector<std::vector<size_t>> categories;
    size_t whole = 0;
    for (const auto& [name, members] : plan_.categories) {
      std::vector<size_t> all;
      int64_t n = 0;
      size_t found = 0;
      for (const std::string& subject : members) {
        const auto at = of_subject_.find(subject);
        if (at == of_subject_.end()) continue;
        all.insert(all.end(), at->second.begin(), at->second.end());
        n += items_.at(subject), ++found;
      }
      if (all.empty()) continue;
      whole += found == members.size();
      add(found == members.size()
              ? "category " + name
              : fmt::format("category {} ({} of {} subjects)", name, found, members.size()),
          n, {all});
      categories.push_back(std::move(all));
    }
    if (categories.empty()) return;
    const size_t of = plan_.categories.size();
    add(whole == of ? fmt::format("categories ({})", whole)
                    : fmt::format("categories ({} whole of {})", whole, of),
        all_, std::move(categories));
  }

  std::string label() const {
    const size_t found = of_subject_.size();
    return found == plan_.all ? fmt::format("subjects ({})", found)
                              : fmt::format("subjects ({} of {})", found, plan_.all);
  }

  const SubjectPlan& plan_;
  std::map<std::string, std::vector<size_t>> of_subject_;  // clusters
  std::map<std::string, int64_t> items_;
  int64_t all_ = 0;
  ItemGroups groups_;
};

}  // namespace

ItemGroups item_groups(std::span<const ItemPlace> places, const SubjectPlan& plan) {
  return Grouping(places, plan).groups();
}

}  // namespace fathom
