// Scores that papers publish, to stand beside measured ones: without intervals, and without a test.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compare/scored_task.h"

namespace fathom {

// What a published score is a measurement of.
struct PublishedTask {
  std::vector<std::string> metrics;  // the metrics here that correspond; the first is the paper's by default
  std::optional<int64_t> shots;      // nothing: the paper does not give them
};

struct PublishedModel {
  std::string name, form, source;
  std::map<std::string, double> scores;  // as Unit has them: shares, bits, ratings
};

struct Published {
  std::map<std::string, PublishedTask> tasks;
  std::vector<PublishedModel> models;
};

// Of the form that published/ has. Error naming what is malformed, and for a score of no task.
Published parse_published(const std::string& toml, const std::string& where);

// What the program brings along.
Published published_scores();

// What stands beside a published score where it is not of the same measurement: another number of examples,
// some of the items only. Empty: nothing.
std::string published_note(const PublishedTask& published, const ScoredTask& task);

}  // namespace fathom
