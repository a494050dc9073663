#include "engine/step_inputs.h"

#include <algorithm>

#include "ops/sample.h"

namespace fathom {
namespace {

constexpr int32_t no_page = -1;

void append(HostBatch& batch, std::span<const int32_t> tokens, int64_t first,
            std::span<const int32_t> pages) {
  const auto b = static_cast<int32_t>(batch.sequence_starts.size()) - 1;
  for (size_t i = 0; i < tokens.size(); ++i) {
    batch.tokens.push_back(tokens[i]);
    batch.positions.push_back(static_cast<int32_t>(first) + static_cast<int32_t>(i));
    batch.sequence.push_back(b);
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  batch.block_table.insert(batch.block_table.end(), pages.begin(), pages.end());
  batch.block_table.resize(static_cast<size_t>((b + 1) * batch.max_pages), no_page);
}

struct PieceLengths {
  std::vector<int32_t> tokens, lengths;

  explicit PieceLengths(std::span<const Scheduled> pieces) {
    for (const Scheduled& s : pieces) {
      tokens.push_back(static_cast<int32_t>(s.tokens));
      lengths.push_back(static_cast<int32_t>(s.sequence->cached + s.tokens));
    }
  }
};

// In tokens. Those that decode read the cache in place.
int32_t common_keys(const Scheduled& a, const Scheduled& b, int64_t page_size) {
  if (a.tokens == 1 || b.tokens == 1) return 0;
  const std::vector<int32_t>&x = a.sequence->pages, &y = b.sequence->pages;
  const auto pages = std::mismatch(x.begin(), x.end(), y.begin(), y.end()).first - x.begin();
  return static_cast<int32_t>(std::min({pages * page_size, a.sequence->cached, b.sequence->cached}));
}

}  // namespace

StepInputs allocate_step_inputs(Arena& arena, const StepSize& size) {
  const int64_t before = arena.used();
  StepInputs in;
  in.batch = allocate_batch(arena, size.batch, size.max_pages);
  in.last_tokens = arena.allocate(DType::i32, {size.batch.sequences});
  in.settings = arena.allocate(DType::f64, {size.sampled, sample_setting::columns});
  in.top_k = arena.allocate(DType::i32, {size.sampled});
  in.block = Tensor(in.batch.block.data, DType::i32, {(arena.used() - before) / size_of(DType::i32)});
  return in;
}

SharedPrefixes shared_prefixes(std::span<const Scheduled> pieces, int64_t page_size) {
  std::vector<int32_t> common(pieces.size(), 0);
  for (size_t i = 1; i < pieces.size(); ++i) common[i] = common_keys(pieces[i - 1], pieces[i], page_size);
  const PieceLengths of(pieces);
  return shared_prefixes(of.tokens, of.lengths, common);
}

HostBatch host_batch(std::span<const Scheduled> pieces, const StepForm& form) {
  HostBatch batch;
  batch.max_pages = form.max_pages;
  batch.sequence_starts = {0};
  for (const Scheduled& p : pieces) {
    const Sequence& s = *p.sequence;
    append(batch, std::span(s.tokens).subspan(static_cast<size_t>(s.cached), static_cast<size_t>(p.tokens)),
           s.cached, s.pages);
  }
  const int32_t padding_token = 0;
  for (auto b = static_cast<int64_t>(pieces.size()); b < form.sequences; ++b)
    append(batch, {&padding_token, 1}, 0, {&form.padding_page, 1});
  if (form.max_expanded_keys == 0) return batch;
  const PieceLengths of(pieces);
  batch.chunks =
      cut_keys(of.tokens, of.lengths, form.max_expanded_keys, shared_prefixes(pieces, form.page_size));
  return batch;
}

void write_step_inputs(std::span<const Scheduled> pieces, const HostBatch& batch, int64_t vocabulary,
                       StepInputs& in) {
  write_batch(batch, in.batch);
  for (int64_t b = 0; b < in.last_tokens.count(); ++b)
    in.last_tokens.as<int32_t>()[b] = batch.sequence_starts[static_cast<size_t>(b) + 1] - 1;
  for (int64_t i = 0; i < in.top_k.count(); ++i) {
    SamplingParameters p;
    double draw = 0;
    if (i < static_cast<int64_t>(pieces.size())) {
      const Sequence& s = *pieces[static_cast<size_t>(i)].sequence;
      p = s.sampling, draw = sampling_draw(p, s.length());
    }
    double* settings = in.settings.row<double>(i);
    settings[sample_setting::temperature] = p.temperature;
    settings[sample_setting::top_p] = p.top_p;
    settings[sample_setting::min_p] = p.min_p;
    settings[sample_setting::draw] = draw;
    in.top_k.as<int32_t>()[i] = static_cast<int32_t>(std::min(p.top_k, vocabulary));
  }
}

}  // namespace fathom
