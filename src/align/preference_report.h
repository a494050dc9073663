// How well a reward model's scores agree with preferences that it was not trained on.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "io/json.h"

namespace fathom {

// A preference, and what the model says.
struct ScoredPreference {
  double chosen = 0, rejected = 0;  // scores
  bool tie = false;
};

struct PreferenceReport {
  // Of those whose model probability that the chosen answer is better, or the rejected one, lies in
  // [from, to): what it says in the mean, and how often it is right.
  struct Bin {
    double from, to;
    int64_t count = 0;
    double confidence = 0, accuracy = 0;
  };
  int64_t preferences = 0, ties = 0;
  double accuracy = 0;           // of those that are no ties; equal scores count as half
  double low = 0, high = 0;      // its 95% interval (Wilson)
  double loss = 0;               // mean of -log sigmoid(chosen - rejected)
  double calibration_error = 0;  // expected calibration error: mean of |confidence - accuracy| over all bins
  std::vector<Bin> bins;         // five, of 0.1 each from 0.5 on
};

// Without ties; those are counted.
PreferenceReport preference_report(std::span<const ScoredPreference> scored);

std::string text_of(const PreferenceReport& report);
OrderedJson json_of(const PreferenceReport& report);

}  // namespace fathom
