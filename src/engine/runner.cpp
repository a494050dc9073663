#include "engine/runner.h"

#include <algorithm>
#include <cmath>

#include "engine/buckets.h"
#include "model/head.h"
#include "ops/cross_entropy.h"
#include "ops/permute.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

// max_expanded_keys as it is taken.
RunnerOptions bounded(RunnerOptions o) {
  o.max_expanded_keys = std::max(std::min(o.max_expanded_keys, o.pages * o.page_size), o.max_tokens);
  return o;
}

// The page after those that sequences own is where padding writes.
LatentCache cache_with_padding_page(const Model& model, Arena& arena, const RunnerOptions& o) {
  return allocate_cache(model.config, arena, model.dtype, o.pages + 1, o.page_size);
}

int64_t cache_bytes(const Model& model, const RunnerOptions& o) {
  Arena plan;
  cache_with_padding_page(model, plan, o);
  return plan.used();
}

bool all_finite(const Tensor& row) {
  const auto finite = [&]<class T>(const T* x) {
    return std::all_of(x, x + row.count(), [](T v) { return std::isfinite(static_cast<float>(v)); });
  };
  switch (row.dtype) {
    case DType::f64:
      return finite(row.as<double>());
    case DType::bf16:
      return finite(row.as<bf16>());
    default:
      return finite(row.as<float>());
  }
}

}  // namespace

Runner::Runner(Device& device, const Model& model, const RunnerOptions& options)
    : device_(device), model_(model), options_(bounded(options)) {
  const RunnerOptions& o = options_;
  cache_memory_ = Arena("the latent cache", cache_bytes(model, o), device,
                        "fewer tokens take less: --max-tokens, or a shorter prompt");
  cache_ = cache_with_padding_page(model, cache_memory_, o);
  step_memory_ = Arena("a step of generation", step_bytes(model, o), device,
                       "smaller prompt chunks take less, and bf16: --prompt-chunk, --dtype");
  if (o.record_experts) record_.emplace(model.config, o.pages, o.page_size);
  staging_ = Arena::pinned("the inputs of a step of generation", staging_bytes(model, o), device);
}

int64_t Runner::bytes(const Model& model, const RunnerOptions& options) {
  const RunnerOptions o = bounded(options);
  return cache_bytes(model, o) + step_bytes(model, o);
}

std::array<StepSize, 2> Runner::largest(const Model& model, const RunnerOptions& o) {
  // When every sequence is as long as it can be.
  const int64_t longest = std::min(o.pages * o.page_size, model.config.max_position_embeddings);
  // Shared prefixes have chunks of their own.
  const int64_t chunks = (o.max_sequences * longest + o.max_expanded_keys - 1) / o.max_expanded_keys + 1;
  const int64_t absorbed =
      o.absorbed.value_or(false) ? o.max_tokens : o.max_sequences * most_absorbed_tokens(model.config);
  const auto scored = [&](int64_t tokens) {
    return o.score ? tokens + o.max_sequences * static_cast<int64_t>(Scoring::most_next) : 0;
  };
  const int64_t few = std::min(absorbed, o.max_tokens);
  return {StepSize{{o.max_tokens, o.max_sequences, o.max_expanded_keys, chunks},
                   o.pages,
                   o.max_sequences,
                   scored(o.max_tokens)},
          StepSize{{few, o.max_sequences, 0, 0}, o.pages, o.max_sequences, scored(few)}};
}

// One pass after the other.
int64_t Runner::step_bytes(const Model& model, const RunnerOptions& o) {
  int64_t most = 0;
  for (const StepSize& size : largest(model, o)) {
    Arena plan;
    allocate(model, o, plan, size);
    most = std::max(most, plan.used());
  }
  return most;
}

// Both passes are under way at a time.
int64_t Runner::staging_bytes(const Model& model, const RunnerOptions& o) {
  Arena plan;
  for (const StepSize& size : largest(model, o)) {
    allocate_step_inputs(plan, size);
    plan.allocate(DType::i32, {2 * size.scored});
    allocate_readback(model, o, plan, size, o.max_sequences, o.max_sequences);
  }
  return plan.used();
}

std::vector<PieceResult> Runner::run(std::span<const Scheduled> scheduled) {
  staging_.rewind(0);
  const std::vector<Group> groups = split(scheduled);
  std::vector<Readback> readbacks;
  for (const Group& group : groups) readbacks.push_back(run_group(group));
  synchronize(device_);
  std::vector<PieceResult> results(scheduled.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    if (record_) record_->write(groups[g].items, readbacks[g].experts);
    for (size_t i = 0; i < groups[g].items.size(); ++i)
      results[groups[g].places[i]] = result_of(groups[g], i, readbacks[g]);
  }
  return results;
}

PieceResult Runner::result_of(const Group& group, size_t item, const Readback& readback) {
  const Scheduled& piece = group.items[item];
  const auto i = static_cast<int64_t>(item);
  PieceResult result;
  bool finite = true;
  for (size_t pair = group.scored.starts[item]; pair < group.scored.starts[item + 1]; ++pair) {
    result.scores.push_back(-element(readback.losses, 0, static_cast<int64_t>(pair)));
    finite = finite && std::isfinite(result.scores.back());
  }
  if (i < group.completing) {
    const int32_t id = readback.ids.as<int32_t>()[i];
    if (id >= 0) {
      result.token = id;
      if (piece.sequence->log_probs) result.log_prob = element(readback.log_probs, 0, i);
    } else {
      result.error = fmt::format("the model's output is not finite after {} tokens: {}",
                                 piece.sequence->length(), sample_failure(id));
    }
  } else {
    finite = finite && all_finite(readback.hidden.slice(i - group.completing, 1));
  }
  if (!finite && result.error.empty()) {
    // Every row before the last one goes into it by attention, so that it stands for all that were cached.
    result.error = fmt::format("the model's output is not finite within the first {} tokens",
                               piece.sequence->cached + piece.tokens);
  }
  return result;
}

// A batch attends in one form, so that a step with both prompts and decoding sequences is two batches.
std::vector<Runner::Group> Runner::split(std::span<const Scheduled> scheduled) const {
  Group expanded{false, {}, {}}, absorbed{true, {}, {}};
  std::vector<Group*> group_of;
  const SharedPrefixes shared = shared_prefixes(scheduled, options_.page_size);
  for (size_t i = 0; i < scheduled.size(); ++i)
    group_of.push_back(absorb(scheduled[i], shared.keys[i]) ? &absorbed : &expanded);
  for (const bool completing : {true, false})
    for (size_t i = 0; i < scheduled.size(); ++i) {
      if (scheduled[i].completes() != completing) continue;
      group_of[i]->items.push_back(scheduled[i]);
      group_of[i]->places.push_back(i);
      group_of[i]->completing += completing;
      group_of[i]->log_probs |= completing && scheduled[i].sequence->log_probs;
    }
  std::vector<Group> groups;
  for (Group* g : {&expanded, &absorbed})
    if (!g->items.empty()) {
      g->scored = given_token_rows(g->items);
      groups.push_back(std::move(*g));
    }
  return groups;
}

bool Runner::absorb(const Scheduled& s, int64_t shared) const {
  return options_.absorbed.value_or(
      absorbed_is_cheaper(model_.config, s.tokens, s.sequence->cached + s.tokens, shared));
}

// Whether it is a decoding step, one token of each sequence.
bool Runner::replayable(const Group& group) const {
  return group.absorbed && group.scored.size() == 0 &&
         std::all_of(group.items.begin(), group.items.end(),
                     [](const Scheduled& s) { return s.tokens == 1; });
}

StepForm Runner::form_of(const Group& group) const {
  const auto pieces = static_cast<int64_t>(group.items.size());
  size_t pages = 1;
  for (const Scheduled& s : group.items) pages = std::max(pages, s.sequence->pages.size());
  StepForm form{.sequences = pieces,
                .max_pages = page_bucket(static_cast<int64_t>(pages), options_.pages),
                .sampled = group.completing,
                .max_expanded_keys = group.absorbed ? 0 : options_.max_expanded_keys,
                .page_size = options_.page_size,
                .padding_page = static_cast<int32_t>(options_.pages)};
  if (replayable(group) && options_.padded.value_or(!device_.on_host()))
    form.sampled = form.sequences = sequence_bucket(pieces, options_.max_sequences);
  return form;
}

Runner::Readback Runner::run_group(const Group& group) {
  const StepForm form = form_of(group);
  const HostBatch host = host_batch(group.items, form);
  if (!device_.on_host()) check_tokens(model_.config, host.tokens, host.positions);
  const StepSize size{host.size(), form.max_pages, form.sampled, group.scored.size()};
  StepInputs inputs = allocate_step_inputs(staging_, size);
  write_step_inputs(group.items, host, options_.vocabulary, inputs);
  step_memory_.rewind(0);
  Memory m = allocate(model_, options_, step_memory_, size);
  upload(device_, m.inputs.block, inputs.block);
  Batch& batch = m.inputs.batch;
  for (size_t i = 0; i < batch.chunks.size(); ++i) batch.chunks[i].keys = inputs.batch.chunks[i].keys;
  batch.cache = &cache_;
  batch.replay = replay_;
  if (group.log_probs) m.sample.log_probs = m.log_probs;
  Tensor hidden;
  const auto forward = [&] {
    hidden = model_forward(device_, model_, batch, m.activations);
    permute(device_, {.out = m.last_hidden, .x = hidden, .token_of = m.inputs.last_tokens});
    if (form.sampled == 0) return;
    head_logits(device_, model_, m.last_hidden.slice(0, form.sampled), m.logits);
    sample(device_, m.sample);
  };
  if (replayable(group))
    decoding_.run(device_, {form.sequences, form.max_pages, form.sampled, group.log_probs}, forward);
  else
    forward();
  if (size.scored > 0) score(group, hidden, m.score);
  return read_back(group, m);
}

void Runner::score(const Group& group, const Tensor& hidden, const ScoreMemory& m) {
  const int64_t all = group.scored.size(), most = m.hidden.rows();
  const Tensor pairs = staging_.allocate(DType::i32, {2 * all});
  std::copy(group.scored.rows.begin(), group.scored.rows.end(), pairs.as<int32_t>());
  std::copy(group.scored.targets.begin(), group.scored.targets.end(), pairs.as<int32_t>() + all);
  upload(device_, m.pairs, pairs);
  for (int64_t first = 0; first < all; first += most) {
    const int64_t n = std::min(most, all - first);
    const Tensor rows = m.hidden.slice(0, n), logits = m.logits.slice(0, n);
    permute(device_, {.out = rows, .x = hidden, .token_of = m.pairs.slice(first, n)});
    head_logits(device_, model_, rows, logits);
    cross_entropy(device_, {.losses = m.losses.slice(first, n),
                            .logits = logits.columns(0, options_.vocabulary),
                            .targets = m.pairs.slice(all + first, n)});
  }
}

Runner::Readback Runner::read_back(const Group& group, const Memory& m) {
  const int64_t n = group.completing, others = static_cast<int64_t>(group.items.size()) - n;
  const Readback readback = allocate_readback(
      model_, options_, staging_,
      {.batch = {.tokens = m.inputs.batch.tokens.cols()}, .scored = group.scored.size()}, n, others);
  download_later(device_, readback.ids, m.sample.ids.slice(0, n));
  if (group.log_probs) download_later(device_, readback.log_probs, m.log_probs.slice(0, n));
  download_later(device_, readback.hidden, m.last_hidden.slice(n, others));
  if (m.experts.rank > 0) download_later(device_, readback.experts, m.experts);
  if (group.scored.size() > 0) download_later(device_, readback.losses, m.score.losses);
  return readback;
}

Runner::Memory Runner::allocate(const Model& model, const RunnerOptions& options, Arena& arena,
                                const StepSize& size) {
  Memory m;
  m.inputs = allocate_step_inputs(arena, size);
  m.activations = allocate_activations(model.config, arena, model.dtype, Purpose::serving, size.batch);
  m.experts = allocate_experts(model, options, arena, size.batch.tokens);
  // Not where it is only planned.
  for (int64_t layer = 0, row = 0; m.experts.data && layer < model.config.num_hidden_layers; ++layer) {
    if (!model.config.is_moe_layer(layer)) continue;
    m.activations.layer(layer).moe.ids = m.experts.slice(row, size.batch.tokens);  // each its own
    row += size.batch.tokens;
  }
  m.last_hidden = arena.allocate(model.dtype, {size.batch.sequences, model.config.hidden_size});
  m.logits = arena.allocate(stat_of(model.dtype), {size.sampled, model.config.vocab_size});
  m.log_probs = arena.allocate(stat_of(model.dtype), {size.sampled});
  m.sample = {.ids = arena.allocate(DType::i32, {size.sampled}),
              .logits = m.logits.columns(0, options.vocabulary),
              .settings = m.inputs.settings,
              .top_k = m.inputs.top_k};
  if (size.scored > 0) m.score = allocate_score(model, arena, size.scored);
  return m;
}

Runner::ScoreMemory Runner::allocate_score(const Model& model, Arena& arena, int64_t scored) {
  constexpr int64_t logits_bytes = int64_t{64} << 20;
  const DType stat = stat_of(model.dtype);
  const int64_t row = model.config.vocab_size * size_of(stat);
  const int64_t rows = std::clamp<int64_t>(logits_bytes / row, 1, scored);
  return {.pairs = arena.allocate(DType::i32, {2 * scored}),
          .losses = arena.allocate(stat, {scored}),
          .hidden = arena.allocate(model.dtype, {rows, model.config.hidden_size}),
          .logits = arena.allocate(stat, {rows, model.config.vocab_size})};
}

Tensor Runner::allocate_experts(const Model& model, const RunnerOptions& options, Arena& arena,
                                int64_t tokens) {
  const Config& c = model.config;
  if (!options.record_experts || c.n_moe_layers() == 0) return {};
  return arena.allocate(DType::i32, {c.n_moe_layers() * tokens, c.num_experts_per_tok});
}

Runner::Readback Runner::allocate_readback(const Model& model, const RunnerOptions& options, Arena& arena,
                                           const StepSize& size, int64_t completing, int64_t others) {
  return {.ids = arena.allocate(DType::i32, {completing}),
          .log_probs = arena.allocate(stat_of(model.dtype), {completing}),
          .hidden = arena.allocate(model.dtype, {others, model.config.hidden_size}),
          .experts = allocate_experts(model, options, arena, size.batch.tokens),
          .losses = arena.allocate(stat_of(model.dtype), {size.scored})};
}

}  // namespace fathom
