// Over what a task's scores are averaged: its items, its subjects, its categories, each for itself. The same
// groups serve a run's own averages and the differences between runs.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace fathom {

// Items of one cluster of one subject are drawn together in confidence intervals.
struct ItemPlace {
  std::string subject, cluster;
};

struct SubjectPlan {
  bool has_subjects = false;
  size_t all = 0;  // subjects that there are, with or without a file
  std::vector<std::pair<std::string, std::vector<std::string>>> categories;
};

struct ItemGroups {
  // A mean of means: of each stratum the mean of its items, then the mean of the strata.
  struct Mean {
    // "items", "subjects (57)", "category STEM", "categories (4)", "subject abstract_algebra". What lacks a
    // subject has another name than what has all: "items of subjects (3 of 57)".
    std::string over;
    int64_t items = 0;
    std::vector<std::vector<size_t>> strata;  // of clusters
  };
  std::vector<std::vector<size_t>> clusters;  // of items, by their place in what was given
  std::vector<Mean> means;  // those of all items first, then categories, then single subjects
};

ItemGroups item_groups(std::span<const ItemPlace> places, const SubjectPlan& plan);

}  // namespace fathom
