// What is asked of a model for an item, and where the answers go.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "eval/answerer.h"
#include "eval/seam.h"

namespace fathom {

struct ItemRequests {
  using Take = std::function<void(Measured&, AnsweredRequest&&)>;

  Measured measured;
  std::vector<std::pair<Request, Take>> requests;

  void ask(Request request, Take take) { requests.emplace_back(std::move(request), std::move(take)); }
  // The log-probabilities of answers, one request for those that differ in their last token alone; handed on
  // by place, each as a sum.
  void ask_scores(const std::vector<Seam>& seams, const std::function<void(Measured&, size_t, double)>& take);
};

// All to their ends, in this order; `progress` gets the number of items that are done. In the order of the items.
std::vector<Measured> answer_all(Answerer& answerer, std::vector<ItemRequests> items,
                                 std::span<const size_t> order, const std::function<void(int64_t)>& progress);

}  // namespace fathom
