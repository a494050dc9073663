#include "engine/engine.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace fathom {
namespace {

int64_t pages_wanted(const Config& config, const EngineOptions& o) {
  check(o.page_size > 0, "the page size must be at least 1, it is {}", o.page_size);
  const int64_t tokens = o.cache_tokens > 0 ? o.cache_tokens : config.max_position_embeddings;
  return (tokens + o.page_size - 1) / o.page_size;
}

RunnerOptions runner_options(const EngineOptions& o, int64_t pages, int64_t vocabulary) {
  return {.pages = pages,
          .page_size = o.page_size,
          .max_sequences = o.max_sequences,
          .max_tokens = o.token_budget,
          .max_expanded_keys = o.max_expanded_keys,
          .vocabulary = vocabulary,
          .absorbed = o.absorbed,
          .padded = o.padded,
          .record_experts = o.record_experts,
          .score = o.score};
}

// The ids that both the model and the tokenizer know.
int64_t common_vocabulary(const Config& config, const Tokenizer* tokenizer) {
  return tokenizer ? std::min<int64_t>(config.vocab_size, tokenizer->size()) : config.vocab_size;
}

}  // namespace

Engine::Engine(Device& device, const Model& model, const Tokenizer* tokenizer, const EngineOptions& o)
    : model_(model),
      tokenizer_(tokenizer),
      blocks_(pages_wanted(model.config, o), o.page_size, o.share_prefixes),
      scheduler_(blocks_, o.max_sequences, o.token_budget),
      scores_(o.score),
      runner_(device, model, runner_options(o, blocks_.pages(), common_vocabulary(model.config, tokenizer))) {
  check_language_model(model.config, "the engine");
}

EngineOptions EngineOptions::for_sequences(int64_t sequences, int64_t length) {
  EngineOptions options;
  options.max_sequences = sequences;
  options.cache_tokens = sequences * (length + options.page_size);
  return options;
}

int64_t Engine::bytes(const Model& model, const EngineOptions& o) {
  return Runner::bytes(model, runner_options(o, pages_wanted(model.config, o), model.config.vocab_size));
}

int64_t Engine::longest() const {
  return std::min(model_.config.max_position_embeddings, blocks_.pages() * blocks_.page_size());
}

void Engine::check_request(const Request& r) const {
  const int64_t length = static_cast<int64_t>(r.prompt.size());
  check(length > 0, "the prompt is empty");
  // What is only scored needs no room behind it.
  check(length < longest() + r.scoring.has_value(),
        "the prompt has {} tokens; the longest context, prompt and answer, is {}", length, longest());
  for (const int32_t id : r.prompt)
    check(id >= 0 && id < model_.config.vocab_size,
          "the prompt's token id {} is outside the vocabulary of {}", id, model_.config.vocab_size);
  if (r.scoring) return check_scoring(r);
  check(r.stop.max_tokens > 0, "max_tokens must be at least 1, it is {}", r.stop.max_tokens);
  check(tokenizer_ || r.stop.strings.empty(), "stop strings need a tokenizer");
  check_sampling(r.sampling);
}

void Engine::check_scoring(const Request& r) const {
  const Scoring& s = *r.scoring;
  const auto length = static_cast<int64_t>(r.prompt.size());
  check(scores_, "this engine was not made to score given tokens");
  check(s.first >= 1 && s.first <= length, "tokens can be scored from 1 to the prompt's {}, not from {}",
        length, s.first);
  check(s.next.size() <= Scoring::most_next, "at most {} tokens can be scored behind a prompt, not {}",
        Scoring::most_next, s.next.size());
  check(s.first < length || !s.next.empty(), "no token is to be scored");
  const auto check_id = [&](int32_t id) {
    check(id >= 0 && id < vocabulary(), "the scored token id {} is outside the vocabulary of {}", id,
          vocabulary());
  };
  std::for_each(r.prompt.begin() + s.first, r.prompt.end(), check_id);
  std::for_each(s.next.begin(), s.next.end(), check_id);
}

int64_t Engine::submit(Request r) {
  check_request(r);
  std::optional<TextStream> text;
  if (tokenizer_ && !r.scoring) text.emplace(*tokenizer_, r.stop.strings);

  const int64_t id = ++last_id_;
  Entry& entry = sequences_.emplace(id, Entry{{}, std::move(text)}).first->second;
  Sequence& s = entry.sequence;
  s.id = id;
  s.prompt_length = static_cast<int64_t>(r.prompt.size());
  s.longest = s.prompt_length + std::min(r.stop.max_tokens, longest() - s.prompt_length);
  s.tokens = std::move(r.prompt);
  s.sampling = r.sampling;
  s.stop = std::move(r.stop);
  s.log_probs = r.log_probs;
  if (r.scoring) {
    s.longest = s.prompt_length;
    s.scores.resize(s.tokens.size() - static_cast<size_t>(r.scoring->first) + r.scoring->next.size());
    s.scoring = std::move(r.scoring);
  }
  scheduler_.add(s);
  return id;
}

void Engine::weights_changed() {
  check(!busy(), "the model's weights have changed while {} sequences are under way", sequences_.size());
  // Here, since a step that is being recorded cannot wait for anything outside.
  for (int64_t layer = -1; model_.before_layer && layer <= model_.config.num_hidden_layers; ++layer)
    model_.before_layer(layer);
  blocks_.clear_prefix_cache();
}

void Engine::abort(int64_t id) {
  const auto at = sequences_.find(id);
  if (at == sequences_.end()) return;
  scheduler_.remove(at->second.sequence);
  sequences_.erase(at);
}

std::vector<Output> Engine::step() {
  const std::vector<Scheduled> scheduled = scheduler_.schedule();
  const std::vector<PieceResult> results = runner_.run(scheduled);
  std::vector<Output> outputs;
  for (size_t i = 0; i < scheduled.size(); ++i) {
    Sequence& s = *scheduled[i].sequence;
    tokens_run_ += scheduled[i].tokens;
    if (!results[i].error.empty()) {  // before publish(): no other sequence shares these pages
      outputs.push_back(end_with_error(sequences_.at(s.id), results[i].error));
      continue;
    }
    // A sequence that was preempted comes here again, with the same values.
    if (s.scoring)
      std::copy(results[i].scores.begin(), results[i].scores.end(),
                s.scores.begin() + static_cast<ptrdiff_t>(first_score(s, s.cached)));
    s.cached += scheduled[i].tokens;
    blocks_.publish(s, s.cached - scheduled[i].tokens);
    if (s.pending() == 0)
      outputs.push_back(s.scoring ? end_scored(s) : extend(sequences_.at(s.id), results[i]));
  }
  for (const Output& o : outputs)
    if (o.finish != FinishReason::none) abort(o.id);
  return outputs;
}

Output Engine::end_with_error(Entry& entry, const std::string& error) {
  Sequence& s = entry.sequence;
  s.finish = FinishReason::error;
  return {.id = s.id, .text = entry.text ? entry.text->flush() : "", .finish = s.finish, .error = error};
}

Output Engine::end_scored(Sequence& s) {
  s.finish = FinishReason::scored;
  return {.id = s.id, .finish = s.finish, .experts = runner_.experts(s), .scores = std::move(s.scores)};
}

// Appends the token and decides whether the sequence ends with it.
Output Engine::extend(Entry& entry, const PieceResult& result) {
  Sequence& s = entry.sequence;
  const int32_t token = result.token;
  s.tokens.push_back(token);
  Output out{.id = s.id, .token = token, .log_prob = result.log_prob};
  const std::vector<int64_t>& eos = s.stop.eos_token_ids;
  const bool ended = std::find(eos.begin(), eos.end(), token) != eos.end();
  if (entry.text && !ended) out.text = entry.text->push(token);
  if (ended || (entry.text && entry.text->stopped()))
    s.finish = FinishReason::stop;
  else if (s.generated() >= s.stop.max_tokens)
    s.finish = FinishReason::length;
  else if (s.length() >= s.longest)
    s.finish = FinishReason::context;
  if (s.finish != FinishReason::none && entry.text) {
    out.text += entry.text->flush();
    if (entry.text->stopped()) s.finish = FinishReason::stop;
  }
  out.finish = s.finish;
  if (s.finish != FinishReason::none) out.experts = runner_.experts(s);
  return out;
}

}  // namespace fathom
