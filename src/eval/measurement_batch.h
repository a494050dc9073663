// Requests of some items, and where their answers go.
#pragma once
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "eval/answerer.h"
#include "eval/seam.h"

namespace fathom {

class MeasurementBatch {
 public:
  using Take = std::function<void(Measured&, AnsweredRequest&&)>;

  // The next requests are this item's.
  Measured& begin(const std::string& id);
  void ask(Request request, Take take);
  // The log-probabilities of answers, one request for those that differ in their last token alone; handed on
  // by place, each as a sum.
  void ask_scores(const std::vector<Seam>& seams, const std::function<void(Measured&, size_t, double)>& take);

  // All to their ends; `progress` gets the number of items that are done.
  std::vector<Measured> run(Answerer& answerer, const std::function<void(int64_t)>& progress);

 private:
  struct Asked {
    size_t item;
    Take take;
  };
  std::vector<Measured> measured_;
  std::vector<Request> requests_;
  std::vector<Asked> asked_;
  std::vector<int64_t> open_;  // requests of each item that are not answered
};

}  // namespace fathom
