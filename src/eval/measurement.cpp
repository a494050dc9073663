#include "eval/measurement.h"

#include <algorithm>

#include "base/error.h"
#include "base/threads.h"

namespace fathom {
namespace {

size_t longest_of(const std::vector<Seam>& seams) {
  size_t most = 0;
  for (const Seam& seam : seams) most = std::max(most, seam.ids.size());
  return most;
}

}  // namespace

Measurement::Measurement(Answerer& answerer, const Tokenizer& tokenizer, const Task& task,
                         const ChatTemplate* chat, MeasurementSettings settings)
    : answerer_(answerer),
      task_(task),
      prompts_(task, chat, settings.seed),
      encoder_(tokenizer, /*add_bos=*/chat == nullptr),
      settings_(std::move(settings)) {}

std::vector<Measured> Measurement::measure(std::span<const ItemSpan> spans,
                                           const std::function<void(int64_t)>& progress) {
  struct Place {
    const SubjectItems* subject;
    const Item* item;
  };
  std::vector<Place> places;
  // The first of each subject go first: the examples that the others share are computed then, all together.
  std::vector<size_t> order, others;
  for (const auto& [subject, items] : spans)
    for (const Item& item : items) {
      (&item == &items.front() ? order : others).push_back(places.size());
      places.push_back({subject, &item});
    }
  order.insert(order.end(), others.begin(), others.end());
  std::vector<ItemRequests> requests(places.size());
  parallel_tasks(settings_.threads, std::ssize(places), [&](int, int64_t i) {
    const auto& [subject, item] = places[static_cast<size_t>(i)];
    requests[static_cast<size_t>(i)] = requests_of(*subject, *item);
  });
  return answer_all(answerer_, std::move(requests), order, progress);
}

ItemRequests Measurement::requests_of(const SubjectItems& data, const Item& item) const {
  ItemRequests requests;
  requests.measured.id = item.id;
  if (task_.form == TaskForm::choice) ask_choice(requests, data, item);
  if (task_.form == TaskForm::generate) ask_generation(requests, data, item);
  if (task_.form == TaskForm::text) ask_document(requests, item);
  return requests;
}

std::vector<Seam> Measurement::seams(const std::vector<jinja::Text>& prompts, const Item& item) const {
  const std::vector<jinja::Text> texts = prompts_.continuations(item);
  if (prompts.size() == 1) return encoder_.answers(prompts[0], texts);
  std::vector<Seam> all;
  for (size_t i = 0; i < texts.size(); ++i) all.push_back(encoder_.pair(prompts[i], texts[i]));
  return all;
}

// Takes `excess` tokens out behind the beginning; false when fewer than `keep` tokens would be left before
// the place from which on all must stay.
bool Measurement::shorten(std::vector<int32_t>& ids, int64_t excess, int64_t keep, Measured& measured) const {
  const auto first = std::ssize(encoder_.beginning());
  if (!task_.prompt.truncate_left || keep - excess < std::max<int64_t>(first, 1)) return false;
  ids.erase(ids.begin() + first, ids.begin() + first + excess);
  return measured.truncated = true;
}

void Measurement::ask_choice(ItemRequests& to, const SubjectItems& data, const Item& item) const {
  Measured& m = to.measured;
  const auto room = static_cast<size_t>(answerer_.longest_scored());
  std::vector<Seam> all;
  prompts_.choose(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
    all = seams(prompts, item);
    return longest_of(all) <= room;
  });
  const auto excess = static_cast<int64_t>(longest_of(all)) - static_cast<int64_t>(room);
  for (Seam& seam : all) {
    if (excess > 0 && !shorten(seam.ids, excess, seam.cut, m)) {
      m.not_run = fmt::format("prompt and answer have {} tokens, the longest context {}", longest_of(all),
                              answerer_.longest());
      return;
    }
    seam.cut -= std::max<int64_t>(excess, 0);
    m.prompt_tokens = std::max(m.prompt_tokens, seam.cut);
    m.options.push_back({{seam.ids.begin() + seam.cut, seam.ids.end()}, 0, {}});
  }
  to.ask_scores(all, [](Measured& of, size_t option, double sum) { of.options[option].sum = sum; });
  const std::vector<ChoiceMetric>& metrics = task_.choice_metrics;
  if (std::find(metrics.begin(), metrics.end(), ChoiceMetric::unconditional) == metrics.end()) return;
  const jinja::Text nothing_asked = task_.choices.unconditional.render(item.fields);
  to.ask_scores(encoder_.answers(nothing_asked, prompts_.continuations(item)),
                   [](Measured& of, size_t option, double sum) { of.options[option].unconditional = sum; });
}

void Measurement::ask_generation(ItemRequests& to, const SubjectItems& data, const Item& item) const {
  Measured& m = to.measured;
  const Task::Generation& g = task_.generation;
  const int64_t longest = answerer_.longest();
  std::vector<int32_t> ids;
  prompts_.choose(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
    ids = encoder_.prompt(prompts[0]);
    return std::ssize(ids) + g.max_tokens <= longest;
  });
  const int64_t length = std::ssize(ids), excess = length + std::min(g.max_tokens, longest / 2) - longest;
  if (length >= longest && !shorten(ids, excess, length, m)) {
    m.not_run = fmt::format("the prompt has {} tokens, the longest context {}", length, longest);
    return;
  }
  m.prompt_tokens = std::ssize(ids);
  m.samples.resize(static_cast<size_t>(g.samples));
  for (int64_t i = 0; i < g.samples; ++i) {
    Request request{
        .prompt = ids, .sampling = g.sampling, .stop = {g.max_tokens, settings_.eos_token_ids, g.stop}};
    request.sampling.seed = sample_seed(settings_.seed, item.id, i);
    to.ask(std::move(request), [i](Measured& of, AnsweredRequest&& answered) {
      of.samples[static_cast<size_t>(i)] = std::move(answered.sample);
    });
  }
}

// In windows, each behind the last token of the one before it, so that every token of
// the document is predicted once.
void Measurement::ask_document(ItemRequests& to, const Item& item) const {
  Measured& m = to.measured;
  m.prompt_hash = prompt_hash({}, "", {jinja::Text(item.document, true)});
  m.bytes = std::ssize(item.document);
  const Seam seam = encoder_.pair({}, jinja::Text(item.document, true));
  const int64_t end = std::ssize(seam.ids), most = std::min(task_.window, answerer_.longest_scored() - 1);
  m.tokens = end - seam.cut;
  for (int64_t first = seam.cut; first < end;) {
    // The first window has what the tokenizer's files put before the text.
    const int64_t begin = first == seam.cut ? 0 : first - 1, last = std::min(end, begin + most + 1);
    const Seam window{{seam.ids.begin() + begin, seam.ids.begin() + last}, first - begin};
    to.ask_scores({window}, [](Measured& of, size_t, double sum) { of.nats -= sum; });
    first = last;
  }
}

}  // namespace fathom
