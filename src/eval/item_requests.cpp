#include "eval/item_requests.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"

namespace fathom {

void ItemRequests::ask_scores(const std::vector<Seam>& seams,
                              const std::function<void(Measured&, size_t, double)>& take) {
  // By all tokens but the last and the cut; in the order of the first answer of each, so that nothing depends
  // on how the map is sorted.
  std::map<std::pair<std::vector<int32_t>, int64_t>, size_t> request_of;
  struct Group {
    Request request;
    std::vector<std::pair<size_t, size_t>> answers;  // place among the seams, place in `next`
  };
  std::vector<Group> groups;
  for (size_t i = 0; i < seams.size(); ++i) {
    std::vector<int32_t> before(seams[i].ids.begin(), seams[i].ids.end() - 1);
    const auto [at, added] = request_of.try_emplace({before, seams[i].cut}, groups.size());
    if (!added && groups[at->second].request.scoring->next.size() == Scoring::most_next)
      at->second = groups.size();
    if (at->second == groups.size())
      groups.push_back({{.prompt = std::move(before),
                         .sampling = {},
                         .stop = {},
                         .scoring = Scoring{.first = seams[i].cut, .next = {}}},
                        {}});
    Group& group = groups[at->second];
    std::vector<int32_t>& next = group.request.scoring->next;
    const auto known = std::find(next.begin(), next.end(), seams[i].ids.back());
    group.answers.emplace_back(i, known - next.begin());
    if (known == next.end()) next.push_back(seams[i].ids.back());
  }
  for (Group& group : groups)
    ask(std::move(group.request), [take, answers = std::move(group.answers),
                                   n = group.request.scoring->next.size()](Measured& m, AnsweredRequest&& c) {
      const size_t given = c.scores.size() - n;
      const double sum =
          std::accumulate(c.scores.begin(), c.scores.begin() + static_cast<ptrdiff_t>(given), 0.0);
      for (const auto& [answer, place] : answers) take(m, answer, sum + c.scores[given + place]);
    });
}

std::vector<Measured> answer_all(Answerer& answerer, std::vector<ItemRequests> items,
                                 std::span<const size_t> order, const std::function<void(int64_t)>& progress) {
  struct Asked {
    size_t item, request;
  };
  std::vector<Request> requests;
  std::vector<Asked> asked;
  std::vector<size_t> open;
  int64_t done = 0;
  for (const ItemRequests& item : items) {
    open.push_back(item.requests.size());
    done += item.requests.empty();
  }
  for (const size_t i : order)
    for (size_t k = 0; k < items[i].requests.size(); ++k) {
      requests.push_back(std::move(items[i].requests[k].first));
      asked.push_back({i, k});
    }
  answerer.answer(
      std::move(requests),
      [&](size_t n, AnsweredRequest&& answered) {
        ItemRequests& item = items[asked[n].item];
        check(answered.error.empty(), "item {}: {}", item.measured.id, answered.error);
        item.requests[asked[n].request].second(item.measured, std::move(answered));
        done += --open[asked[n].item] == 0;
      },
      [&] {
        if (interrupted()) throw Interrupted();
        progress(done);
      });
  std::vector<Measured> all;
  for (ItemRequests& item : items) all.push_back(std::move(item.measured));
  return all;
}

}  // namespace fathom
