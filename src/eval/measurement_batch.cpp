#include "eval/measurement_batch.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"

namespace fathom {

Measured& MeasurementBatch::begin(const std::string& id) {
  open_.push_back(0);
  measured_.emplace_back();
  measured_.back().id = id;
  return measured_.back();
}

void MeasurementBatch::ask(Request request, Take take) {
  requests_.push_back(std::move(request));
  asked_.push_back({measured_.size() - 1, std::move(take)});
  ++open_.back();
}

void MeasurementBatch::ask_scores(const std::vector<Seam>& seams,
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

std::vector<Measured> MeasurementBatch::run(Answerer& answerer,
                                            const std::function<void(int64_t)>& progress) {
  int64_t done = std::count(open_.begin(), open_.end(), 0);
  answerer.answer(
      std::move(requests_),
      [&](size_t n, AnsweredRequest&& answered) {
        const Asked& asked = asked_[n];
        Measured& measured = measured_[asked.item];
        check(answered.error.empty(), "item {}: {}", measured.id, answered.error);
        asked.take(measured, std::move(answered));
        done += --open_[asked.item] == 0;
      },
      [&] {
        if (interrupted()) throw Interrupted();
        progress(done);
      });
  return std::move(measured_);
}

}  // namespace fathom
