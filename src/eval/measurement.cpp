#include "eval/measurement.h"

#include <algorithm>

#include "base/error.h"
#include "io/content_hash.h"

namespace fathom {
namespace {

std::vector<std::string> bytes_of(const std::vector<jinja::Text>& texts) {
  std::vector<std::string> all;
  for (const jinja::Text& text : texts) all.push_back(text.bytes);
  return all;
}

size_t longest_of(const std::vector<Seam>& seams) {
  size_t most = 0;
  for (const Seam& seam : seams) most = std::max(most, seam.ids.size());
  return most;
}

// A sample's draws depend on the seed, the item and the sample's number alone.
uint64_t sample_seed(uint64_t seed, const std::string& item, int64_t sample) {
  return hash_value(fmt::format("{} {} {}", seed, sample, item)).low;
}

}  // namespace

Measurement::Measurement(Engine& engine, const Tokenizer& tokenizer, const Task& task,
                         const ChatTemplate* chat, MeasurementSettings settings)
    : engine_(engine),
      task_(task),
      prompts_(task, chat),
      encoder_(tokenizer, /*add_bos=*/chat == nullptr),
      settings_(std::move(settings)) {}

std::vector<Measured> Measurement::measure(const SubjectItems& data, std::span<const Item> items,
                                           const std::function<void(int64_t)>& progress) {
  MeasurementBatch batch;
  for (const Item& item : items) {
    if (task_.form == TaskForm::choice) add_choice(batch, data, item);
    if (task_.form == TaskForm::generate) add_generation(batch, data, item);
    if (task_.form == TaskForm::text) add_document(batch, item);
  }
  return batch.run(engine_, progress);
}

// With as many of the item's examples as fit: whole ones go, the first ones first.
std::vector<jinja::Text> Measurement::choose_prompts(
    const SubjectItems& data, const Item& item, Measured& measured,
    const std::function<bool(const std::vector<jinja::Text>&)>& fits) const {
  const std::vector<const Item*> examples = choose_shots(task_, data, item, settings_.seed);
  size_t shots = examples.size();
  std::vector<jinja::Text> prompts = prompts_.prompts(data, item, examples, shots);
  while (!fits(prompts) && shots > 0) prompts = prompts_.prompts(data, item, examples, --shots);
  measured.shots = static_cast<int64_t>(shots);
  measured.prompts = bytes_of(prompts);
  measured.prompt_hash = prompt_hash(prompts, prompts_.delimiter(), item.answers);
  if (prompts_.chat())
    measured.asked_hash =
        prompt_hash(prompts_.base_prompts(data, item, examples, shots), task_.prompt.delimiter, item.answers);
  return prompts;
}

std::vector<jinja::Text> Measurement::continuations(const Item& item) const {
  std::vector<jinja::Text> texts;
  for (const jinja::Text& answer : item.answers) {
    texts.emplace_back(prompts_.delimiter(), false);
    texts.back() += answer;
  }
  return texts;
}

std::vector<Seam> Measurement::seams(const std::vector<jinja::Text>& prompts, const Item& item) const {
  const std::vector<jinja::Text> texts = continuations(item);
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

void Measurement::add_choice(MeasurementBatch& batch, const SubjectItems& data, const Item& item) {
  Measured& m = batch.begin(item.id);
  const auto room = static_cast<size_t>(engine_.longest()) + 1;  // the last token is not run
  std::vector<Seam> all;
  choose_prompts(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
    all = seams(prompts, item);
    return longest_of(all) <= room;
  });
  const auto excess = static_cast<int64_t>(longest_of(all)) - static_cast<int64_t>(room);
  for (Seam& seam : all) {
    if (excess > 0 && !shorten(seam.ids, excess, seam.cut, m)) {
      m.not_run =
          fmt::format("prompt and answer have {} tokens, the longest context {}", longest_of(all), room - 1);
      return;
    }
    seam.cut -= std::max<int64_t>(excess, 0);
    m.prompt_tokens = std::max(m.prompt_tokens, seam.cut);
    m.options.push_back({{seam.ids.begin() + seam.cut, seam.ids.end()}, 0, {}});
  }
  batch.ask_scores(all, [](Measured& to, size_t option, double sum) { to.options[option].sum = sum; });
  const std::vector<ChoiceMetric>& metrics = task_.choice_metrics;
  if (std::find(metrics.begin(), metrics.end(), ChoiceMetric::unconditional) == metrics.end()) return;
  const jinja::Text nothing_asked = task_.choices.unconditional.render(item.fields);
  batch.ask_scores(encoder_.answers(nothing_asked, continuations(item)),
                   [](Measured& to, size_t option, double sum) { to.options[option].unconditional = sum; });
}

void Measurement::add_generation(MeasurementBatch& batch, const SubjectItems& data, const Item& item) {
  Measured& m = batch.begin(item.id);
  const Task::Generation& g = task_.generation;
  const int64_t longest = engine_.longest();
  std::vector<int32_t> ids;
  choose_prompts(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
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
    batch.ask(std::move(request), [i](Measured& to, Completion&& c) {
      to.samples[static_cast<size_t>(i)] = {std::move(c.text), std::ssize(c.tokens), c.finish};
    });
  }
}

// In windows, each behind the last token of the one before it, so that every token of
// the document is predicted once.
void Measurement::add_document(MeasurementBatch& batch, const Item& item) {
  Measured& m = batch.begin(item.id);
  m.prompt_hash = prompt_hash({}, "", {jinja::Text(item.document, true)});
  m.bytes = std::ssize(item.document);
  const Seam seam = encoder_.pair({}, jinja::Text(item.document, true));
  const int64_t end = std::ssize(seam.ids), most = std::min(task_.window, engine_.longest());
  m.tokens = end - seam.cut;
  for (int64_t first = seam.cut; first < end;) {
    // The first window has what the tokenizer's files put before the text.
    const int64_t begin = first == seam.cut ? 0 : first - 1, last = std::min(end, begin + most + 1);
    const Seam window{{seam.ids.begin() + begin, seam.ids.begin() + last}, first - begin};
    batch.ask_scores({window}, [](Measured& to, size_t, double sum) { to.nats -= sum; });
    first = last;
  }
}

}  // namespace fathom
