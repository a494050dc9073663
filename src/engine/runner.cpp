#include "engine/runner.h"

#include <algorithm>
#include <cstring>

#include "model/head.h"
#include "ops/dispatch.h"

namespace fathom {
namespace {

constexpr int32_t no_page = -1;

int64_t cache_bytes(const Model& model, const RunnerOptions& o) {
  Arena plan;
  allocate_cache(model.config, plan, model.dtype, o.pages, o.page_size);
  return plan.used();
}

void copy_row(const Tensor& to, int64_t to_row, const Tensor& from, int64_t from_row) {
  const int64_t bytes = from.cols() * size_of(from.dtype);
  std::memcpy(static_cast<std::byte*>(to.data) + to_row * bytes,
              static_cast<const std::byte*>(from.data) + from_row * bytes, bytes);
}

}  // namespace

Runner::Runner(Device& device, const Model& model, const RunnerOptions& options)
    : device_(device), model_(model), options_(options) {
  RunnerOptions& o = options_;
  o.max_expanded_keys = std::max(std::min(o.max_expanded_keys, o.pages * o.page_size), o.max_tokens);
  cache_memory_ = Arena("latent cache", cache_bytes(model, o));
  cache_ = allocate_cache(model.config, cache_memory_, model.dtype, o.pages, o.page_size);

  const int64_t V = model.config.vocab_size;
  Arena plan;
  plan.allocate(stat_of(model.dtype), {o.max_sequences, V});
  step_memory_ = Arena("step memory", plan.used() + step_bytes());
  logits_ = step_memory_.allocate(stat_of(model.dtype), {o.max_sequences, V});
  mark_ = step_memory_.used();
}

int64_t Runner::step_bytes() const {
  const RunnerOptions& o = options_;
  Arena plan;
  allocate(plan, {o.max_tokens, o.max_sequences, o.max_expanded_keys}, o.pages, o.max_sequences);
  return plan.used();
}

Tensor Runner::run(std::span<const Scheduled> scheduled) {
  int64_t outputs = 0;
  for (const Scheduled& s : scheduled) outputs += s.completes();
  for (const Group& group : split(scheduled)) run_group(group);
  return logits_.slice(0, outputs);
}

// A batch attends in one form, so that a step with both prompts and decoding sequences is two batches.
std::vector<Runner::Group> Runner::split(std::span<const Scheduled> scheduled) const {
  Group expanded{false, {}, {}}, absorbed{true, {}, {}};
  int64_t keys = 0, row = 0;
  for (const Scheduled& s : scheduled) {
    const bool absorb_it = absorb(s, keys);
    Group& group = absorb_it ? absorbed : expanded;
    if (!absorb_it) keys += s.sequence->cached + s.tokens;
    group.items.push_back(s);
    group.rows.push_back(s.completes() ? row++ : -1);
  }
  std::vector<Group> groups;
  for (Group* g : {&expanded, &absorbed})
    if (!g->items.empty()) groups.push_back(std::move(*g));
  return groups;
}

bool Runner::absorb(const Scheduled& s, int64_t expanded_keys) const {
  const int32_t tokens = static_cast<int32_t>(s.tokens),
                length = static_cast<int32_t>(s.sequence->cached) + tokens;
  if (expanded_keys + length > options_.max_expanded_keys) return true;
  return options_.absorbed.value_or(absorbed_is_cheaper(model_.config, {&tokens, 1}, {&length, 1}));
}

void Runner::run_group(const Group& group) {
  BatchSize size{0, static_cast<int64_t>(group.items.size()), 0};
  int64_t max_pages = 0, outputs = 0;
  for (const Scheduled& s : group.items) {
    size.tokens += s.tokens;
    if (!group.absorbed) size.keys += s.sequence->cached + s.tokens;
    max_pages = std::max(max_pages, static_cast<int64_t>(s.sequence->pages.size()));
    outputs += s.completes();
  }
  step_memory_.rewind(mark_);
  Memory m = allocate(step_memory_, size, max_pages, outputs);
  m.batch.absorbed = group.absorbed;
  fill_batch(group, m.batch);
  const Tensor hidden = model_forward(device_, model_, m.batch, m.activations);
  if (outputs == 0) return;

  const int32_t* starts = m.batch.sequence_starts.as<int32_t>();
  int64_t n = 0;
  for (size_t b = 0; b < group.items.size(); ++b)
    if (group.rows[b] >= 0) copy_row(m.last_hidden, n++, hidden, starts[b + 1] - 1);
  head_logits(device_, model_, m.last_hidden, m.logits);
  n = 0;
  for (const int64_t row : group.rows)
    if (row >= 0) copy_row(logits_, row, m.logits, n++);
}

Runner::Memory Runner::allocate(Arena& arena, const BatchSize& size, int64_t max_pages,
                                int64_t outputs) const {
  const auto ints = [&](std::initializer_list<int64_t> shape) { return arena.allocate(DType::i32, shape); };
  Memory m;
  m.batch.tokens = ints({size.tokens});
  m.batch.positions = ints({size.tokens});
  m.batch.sequence_starts = ints({size.sequences + 1});
  m.batch.cache = &cache_;
  m.batch.block_table = ints({size.sequences, max_pages});
  m.batch.sequence = ints({size.tokens});
  m.batch.kv_starts = ints({size.sequences + 1});
  m.activations = allocate_activations(model_.config, arena, model_.dtype, Purpose::serving, size);
  m.last_hidden = arena.allocate(model_.dtype, {outputs, model_.config.hidden_size});
  m.logits = arena.allocate(stat_of(model_.dtype), {outputs, model_.config.vocab_size});
  return m;
}

void Runner::fill_batch(const Group& group, const Batch& batch) const {
  int32_t *tokens = batch.tokens.as<int32_t>(), *positions = batch.positions.as<int32_t>();
  int32_t *sequence = batch.sequence.as<int32_t>(), *starts = batch.sequence_starts.as<int32_t>();
  int32_t* kv_starts = batch.kv_starts.as<int32_t>();
  starts[0] = kv_starts[0] = 0;
  int32_t n = 0;
  for (size_t b = 0; b < group.items.size(); ++b) {
    const Sequence& s = *group.items[b].sequence;
    const int64_t end = s.cached + group.items[b].tokens;
    for (int64_t t = s.cached; t < end; ++t, ++n) {
      tokens[n] = s.tokens[t];
      positions[n] = static_cast<int32_t>(t);
      sequence[n] = static_cast<int32_t>(b);
    }
    starts[b + 1] = n;
    kv_starts[b + 1] = kv_starts[b] + static_cast<int32_t>(end);
    const std::span<int32_t> row(batch.block_table.row<int32_t>(b), batch.block_table.cols());
    std::fill(std::copy(s.pages.begin(), s.pages.end(), row.begin()), row.end(), no_page);
  }
}

}  // namespace fathom
