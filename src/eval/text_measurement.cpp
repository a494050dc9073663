#include "eval/text_measurement.h"

#include <algorithm>

#include "base/error.h"
#include "base/interrupt.h"
#include "eval/seam.h"
#include "eval/served_sample.h"
#include "text/utf8.h"

namespace fathom {
namespace {

const std::string no_text = "the prompt is not valid UTF-8, and a server is sent nothing else";

bool is_text(const std::string& bytes) {
  return valid_utf8_prefix(bytes) == bytes.size();
}

}  // namespace

TextMeasurement::TextMeasurement(ModelServer& server, const Task& task, bool chat,
                                 const MeasurementSettings& settings)
    : server_(server),
      task_(task),
      chat_(chat),
      prompts_(task, nullptr, settings.seed),
      seed_(settings.seed) {}

void TextMeasurement::check_task(const Task& task, bool chat) {
  check(
      task.form != TaskForm::text,
      "task {}: a document is cut into windows of tokens: over --url this needs the model's folder too, for "
      "its tokenizer",
      task.name);
  check(
      !chat || task.form == TaskForm::generate,
      "task {}: chat completions have no log-probabilities of answers that are given: over --url this needs "
      "the model's folder too, for its template and tokenizer",
      task.name);
}

std::vector<Measured> TextMeasurement::measure(std::span<const ItemSpan> spans,
                                               const std::function<void(int64_t)>& progress) {
  const size_t each =
      task_.form == TaskForm::generate ? static_cast<size_t>(task_.generation.samples) : size_t{1};
  std::vector<std::pair<const SubjectItems*, const Item*>> items;
  for (const auto& [subject, some] : spans)
    for (const Item& item : some) items.emplace_back(subject, &item);
  std::vector<Measured> all(items.size());
  std::vector<std::vector<MeasuredSample>> samples(items.size(), std::vector<MeasuredSample>(each));
  std::vector<size_t> open(items.size(), each);
  int64_t done = 0;
  server_.ask_each(
      items.size() * each,
      [&](size_t i) {
        const auto& [subject, item] = items[i / each];
        return task_.form == TaskForm::choice ? choice(*subject, *item)
                                              : sample(*subject, *item, static_cast<int64_t>(i % each));
      },
      [&](size_t i, Measured&& m) {
        if (!m.samples.empty()) samples[i / each][i % each] = std::move(m.samples[0]);
        const bool run = !m.samples.empty();
        if (i % each == 0) all[i / each] = std::move(m);
        if (--open[i / each] > 0) return;
        ++done;
        if (run) all[i / each].samples = std::move(samples[i / each]);
      },
      [&] {
        if (interrupted()) throw Interrupted();
        progress(done);
      });
  return all;
}

Measured TextMeasurement::choice(const SubjectItems& data, const Item& item) const try {
  Measured m;
  m.id = item.id;
  const std::vector<jinja::Text> answers = prompts_.continuations(item);
  ScoredTexts scored;
  prompts_.choose(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
    scored = score_all(prompts, answers);
    return scored.refused.empty();
  });
  m.not_run = scored.refused, m.prompt_tokens = scored.prompt_tokens;
  const std::vector<ChoiceMetric>& metrics = task_.choice_metrics;
  if (!m.not_run.empty()) return m;
  m.options = std::move(scored.options);
  if (std::find(metrics.begin(), metrics.end(), ChoiceMetric::unconditional) == metrics.end()) return m;
  const ScoredTexts alone = score_all({task_.choices.unconditional.render(item.fields)}, answers);
  m.not_run = alone.refused;
  if (m.not_run.empty())
    for (size_t i = 0; i < answers.size(); ++i) m.options[i].unconditional = alone.options[i].sum;
  return m;
} catch (const Error& error) {
  fail("item {}: {}", item.id, error.what());
}

TextMeasurement::ScoredTexts TextMeasurement::score_all(const std::vector<jinja::Text>& prompts,
                                                        const std::vector<jinja::Text>& answers) const {
  ScoredTexts scored;
  if (prompts.size() == 1) {
    score(prompts[0], answers, scored);
    return scored;
  }
  for (size_t i = 0; i < answers.size() && scored.refused.empty(); ++i)
    score(prompts[i], std::span(answers).subspan(i, 1), scored);
  return scored;
}

std::optional<Echo> TextMeasurement::echo(const std::string& text, ScoredTexts& to) const {
  const CompletionReply reply = server_.complete({.prompt = text, .echo = true, .log_probs = true});
  if (reply.too_long) {
    to.refused = reply.error;
    return {};
  }
  Echo echo = read_echo(reply, text);
  check(echo.problem.empty(), "{}", echo.problem);
  return echo;
}

// By the rule of SeamEncoder: all answers are cut at the same place, behind the tokens that the prompt has on
// its own.
void TextMeasurement::score(const jinja::Text& prompt, std::span<const jinja::Text> answers,
                            ScoredTexts& to) const {
  const size_t seam = prompt.size() - trailing_blanks(prompt.bytes);
  std::vector<Echo> echoes;
  for (const jinja::Text& answer : answers) {
    const std::string text = prompt.bytes + answer.bytes;
    if (!is_text(text)) to.refused = no_text;
    if (!to.refused.empty()) return;
    if (std::optional<Echo> one = echo(text, to)) echoes.push_back(std::move(*one));
  }
  if (!to.refused.empty()) return;
  size_t cut = cut_of(echoes[0], seam);
  bool across = false;
  for (const Echo& one : echoes) {
    cut = std::min({cut, cut_of(one, seam), common_tokens(one, echoes[0])});
    across = across || crosses(one, seam);
  }
  if (across) {
    const std::optional<Echo> alone = echo(prompt.bytes.substr(0, seam), to);
    if (!alone) return;
    for (const Echo& one : echoes) cut = std::min(cut, common_tokens(one, *alone));
  }
  check(
      cut > 0,
      "nothing stands before the first token that is to be scored, and the server puts none there: with the "
      "model's folder, too, its tokenizer's own go first");
  to.prompt_tokens = std::max(to.prompt_tokens, static_cast<int64_t>(cut));
  for (const Echo& one : echoes) {
    MeasuredOption& option = to.options.emplace_back();
    for (size_t i = cut; i < one.tokens.size(); ++i) {
      option.sum += *one.tokens[i].log_prob;
      option.tokens.push_back(one.tokens[i].text);
    }
  }
}

Measured TextMeasurement::sample(const SubjectItems& data, const Item& item, int64_t number) const try {
  Measured m;
  m.id = item.id;
  SentSampling sampling =
      sent_sampling(task_.generation.sampling, task_.generation.max_tokens, task_.generation.stop);
  sampling.seed = sample_seed(seed_, item.id, number);
  if (chat_)
    sample_chat(data, item, sampling, m);
  else
    sample_text(data, item, sampling, m);
  return m;
} catch (const Error& error) {
  fail("item {}: {}", item.id, error.what());
}

void TextMeasurement::sample_text(const SubjectItems& data, const Item& item, const SentSampling& sampling,
                                  Measured& m) const {
  CompletionReply reply;
  prompts_.choose(data, item, m, [&](const std::vector<jinja::Text>& prompts) {
    m.not_run = is_text(prompts[0].bytes) ? "" : no_text;
    if (!m.not_run.empty()) return true;
    reply = server_.complete({.prompt = prompts[0].bytes, .sampling = sampling});
    return !reply.too_long;
  });
  if (reply.too_long) m.not_run = reply.error;
  if (!m.not_run.empty()) return;
  check(reply.text.has_value(), "{}", reply.error);
  m.prompt_tokens = reply.prompt_tokens.value_or(0);
  m.samples = {served_sample(*reply.text, reply.finish, reply.completion_tokens, task_.generation.stop)};
}

void TextMeasurement::sample_chat(const SubjectItems& data, const Item& item, const SentSampling& sampling,
                                  Measured& m) const {
  ChatReply reply;
  prompts_.choose_messages(data, item, m, [&](const Json& messages) {
    reply = server_.chat({.messages = messages, .sampling = sampling});
    return !reply.too_long;
  });
  if (reply.too_long) m.not_run = reply.error;
  if (!m.not_run.empty()) return;
  // A model that only reasoned until a limit has said nothing: that is an empty answer.
  if (!reply.text && reply.finish == "length") reply.text = "";
  check(reply.text.has_value(), "{}", reply.error);
  m.samples = {served_sample(*reply.text, reply.finish, reply.completion_tokens, task_.generation.stop)};
}

}  // namespace fathom
