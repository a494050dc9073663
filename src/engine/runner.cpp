#include "engine/runner.h"

#include <algorithm>
#include <cmath>

#include "model/head.h"
#include "ops/permute.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

constexpr int32_t no_page = -1;
// Block tables grow by this many pages at a time, so that many steps have the same shapes.
constexpr int64_t table_step = 16;

// max_expanded_keys as it is taken.
RunnerOptions bounded(RunnerOptions o) {
  o.max_expanded_keys = std::max(std::min(o.max_expanded_keys, o.pages * o.page_size), o.max_tokens);
  return o;
}

int64_t cache_bytes(const Model& model, const RunnerOptions& o) {
  Arena plan;
  allocate_cache(model.config, plan, model.dtype, o.pages, o.page_size);
  return plan.used();
}

// Without keys to expand.
HostBatch host_batch(std::span<const Scheduled> items, int64_t max_pages) {
  HostBatch batch;
  batch.max_pages = max_pages;
  batch.sequence_starts = {0};
  for (size_t b = 0; b < items.size(); ++b) {
    const Sequence& s = *items[b].sequence;
    const int64_t end = s.cached + items[b].tokens;
    for (int64_t t = s.cached; t < end; ++t) {
      batch.tokens.push_back(s.tokens[t]);
      batch.positions.push_back(static_cast<int32_t>(t));
      batch.sequence.push_back(static_cast<int32_t>(b));
    }
    batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
    batch.block_table.insert(batch.block_table.end(), s.pages.begin(), s.pages.end());
    batch.block_table.resize(static_cast<size_t>(max_pages) * (b + 1), no_page);
  }
  return batch;
}

std::vector<HostKeyChunk> key_chunks(std::span<const Scheduled> items, int64_t most) {
  std::vector<int32_t> tokens, lengths;
  for (const Scheduled& s : items) {
    tokens.push_back(static_cast<int32_t>(s.tokens));
    lengths.push_back(static_cast<int32_t>(s.sequence->cached + s.tokens));
  }
  return cut_keys(tokens, lengths, most);
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
  cache_ = allocate_cache(model.config, cache_memory_, model.dtype, o.pages, o.page_size);

  step_memory_ = Arena("a step of generation", step_bytes(model, o), device,
                       "smaller prompt chunks take less, and bf16: --prompt-chunk, --dtype");
}

int64_t Runner::bytes(const Model& model, const RunnerOptions& options) {
  const RunnerOptions o = bounded(options);
  return cache_bytes(model, o) + step_bytes(model, o);
}

// The larger of both forms' largest batches.
int64_t Runner::step_bytes(const Model& model, const RunnerOptions& o) {
  const auto bytes = [&](const BatchSize& size) {
    Arena plan;
    allocate(model, o, plan, size, o.pages, o.max_sequences);
    return plan.used();
  };
  // When every sequence is as long as it can be.
  const int64_t longest = std::min(o.pages * o.page_size, model.config.max_position_embeddings);
  const int64_t chunks = (o.max_sequences * longest + o.max_expanded_keys - 1) / o.max_expanded_keys;
  const int64_t absorbed =
      o.absorbed.value_or(false) ? o.max_tokens : o.max_sequences * most_absorbed_tokens(model.config);
  return std::max(bytes({o.max_tokens, o.max_sequences, o.max_expanded_keys, chunks}),
                  bytes({std::min(absorbed, o.max_tokens), o.max_sequences, 0, 0}));
}

std::vector<PieceResult> Runner::run(std::span<const Scheduled> scheduled) {
  const auto row_bytes = static_cast<size_t>(model_.config.hidden_size * size_of(model_.dtype));
  Readback readback{std::vector<int32_t>(scheduled.size()),
                    std::vector<std::byte>(scheduled.size() * row_bytes)};
  for (const Group& group : split(scheduled)) run_group(group, readback);
  synchronize(device_);
  std::vector<PieceResult> results(scheduled.size());
  for (size_t i = 0; i < scheduled.size(); ++i) {
    const Sequence& s = *scheduled[i].sequence;
    if (!scheduled[i].completes()) {
      // Every row before the last one goes into it by attention, so that it stands for all that were cached.
      if (!all_finite(hidden_row(readback, i)))
        results[i].error = fmt::format("the model's output is not finite within the first {} tokens",
                                       s.cached + scheduled[i].tokens);
    } else if (readback.ids[i] < 0) {
      results[i].error = fmt::format("the model's output is not finite after {} tokens: {}", s.length(),
                                     sample_failure(readback.ids[i]));
    } else {
      results[i].token = readback.ids[i];
    }
  }
  return results;
}

Tensor Runner::hidden_row(Readback& readback, size_t place) const {
  const int64_t C = model_.config.hidden_size;
  return Tensor(readback.hidden.data() + static_cast<int64_t>(place) * C * size_of(model_.dtype),
                model_.dtype, {1, C});
}

// A batch attends in one form, so that a step with both prompts and decoding sequences is two batches.
std::vector<Runner::Group> Runner::split(std::span<const Scheduled> scheduled) const {
  Group expanded{false, {}, {}}, absorbed{true, {}, {}};
  std::vector<Group*> group_of;
  for (const Scheduled& s : scheduled) group_of.push_back(absorb(s) ? &absorbed : &expanded);
  for (const bool completing : {true, false})
    for (size_t i = 0; i < scheduled.size(); ++i) {
      if (scheduled[i].completes() != completing) continue;
      group_of[i]->items.push_back(scheduled[i]);
      group_of[i]->places.push_back(i);
      group_of[i]->completing += completing;
    }
  std::vector<Group> groups;
  for (Group* g : {&expanded, &absorbed})
    if (!g->items.empty()) groups.push_back(std::move(*g));
  return groups;
}

bool Runner::absorb(const Scheduled& s) const {
  const int32_t tokens = static_cast<int32_t>(s.tokens),
                length = static_cast<int32_t>(s.sequence->cached) + tokens;
  return options_.absorbed.value_or(absorbed_is_cheaper(model_.config, {&tokens, 1}, {&length, 1}));
}

void Runner::run_group(const Group& group, Readback& readback) {
  int64_t max_pages = 0;
  for (const Scheduled& s : group.items)
    max_pages = std::max(max_pages, static_cast<int64_t>(s.sequence->pages.size()));
  max_pages = std::min((max_pages + table_step - 1) / table_step * table_step, options_.pages);
  HostBatch host = host_batch(group.items, max_pages);
  if (!group.absorbed) host.chunks = key_chunks(group.items, options_.max_expanded_keys);
  std::vector<int32_t> last_tokens;
  for (size_t b = 0; b < group.items.size(); ++b) last_tokens.push_back(host.sequence_starts[b + 1] - 1);
  const auto pieces = static_cast<int64_t>(last_tokens.size()), completing = group.completing;
  const BatchSize size = host.size();
  step_memory_.rewind(0);
  Memory m = allocate(model_, options_, step_memory_, size, max_pages, completing);
  m.batch.cache = &cache_;
  m.batch.replay = replay_;
  upload_batch(device_, model_.config, host, m.batch);
  upload(device_, m.last_tokens, Tensor(last_tokens.data(), DType::i32, {pieces}));
  upload_sampling(group, m.sample);
  const auto forward = [&] {
    const Tensor hidden = model_forward(device_, model_, m.batch, m.activations);
    permute(device_, {.out = m.last_hidden, .x = hidden, .token_of = m.last_tokens});
    if (completing == 0) return;
    head_logits(device_, model_, m.last_hidden.slice(0, completing), m.logits);
    sample(device_, m.sample);
  };
  if (group.absorbed && size.tokens == size.sequences)
    decoding_.run(device_, {size.tokens, max_pages, completing}, forward);
  else
    forward();
  for (int64_t i = 0; i < pieces; ++i) {
    const size_t place = group.places[static_cast<size_t>(i)];
    if (i < completing)
      download_later(device_, Tensor(&readback.ids[place], DType::i32, {1}), m.sample.ids.slice(i, 1));
    else
      download_later(device_, hidden_row(readback, place), m.last_hidden.slice(i, 1));
  }
}

void Runner::upload_sampling(const Group& group, const Sample& sample) const {
  std::vector<double> settings;
  std::vector<int32_t> top_k;
  for (int64_t i = 0; i < group.completing; ++i) {
    const Sequence& s = *group.items[static_cast<size_t>(i)].sequence;
    const SamplingParameters& p = s.sampling;
    settings.insert(settings.end(), {p.temperature, p.top_p, p.min_p, sampling_draw(p, s.length())});
    top_k.push_back(static_cast<int32_t>(std::min(p.top_k, options_.vocabulary)));
  }
  const int64_t n = group.completing;
  upload(device_, sample.settings, Tensor(settings.data(), DType::f64, {n, sample_setting::columns}));
  upload(device_, sample.top_k, Tensor(top_k.data(), DType::i32, {n}));
}

Runner::Memory Runner::allocate(const Model& model, const RunnerOptions& options, Arena& arena,
                                const BatchSize& size, int64_t max_pages, int64_t completing) {
  Memory m;
  m.batch = allocate_batch(arena, size, max_pages);
  m.activations = allocate_activations(model.config, arena, model.dtype, Purpose::serving, size);
  m.last_tokens = arena.allocate(DType::i32, {size.sequences});
  m.last_hidden = arena.allocate(model.dtype, {size.sequences, model.config.hidden_size});
  m.logits = arena.allocate(stat_of(model.dtype), {completing, model.config.vocab_size});
  m.sample = {.ids = arena.allocate(DType::i32, {completing}),
              .logits = m.logits.columns(0, options.vocabulary),
              .settings = arena.allocate(DType::f64, {completing, sample_setting::columns}),
              .top_k = arena.allocate(DType::i32, {completing})};
  return m;
}

}  // namespace fathom
