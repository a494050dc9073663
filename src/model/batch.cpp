#include "model/batch.h"

#include <algorithm>

#include "tensor/memory.h"

namespace fathom {
namespace {

void put(const Tensor& to, const std::vector<int32_t>& values) {
  assert(static_cast<size_t>(to.count()) == values.size());
  std::copy(values.begin(), values.end(), to.as<int32_t>());
}

// The same batch with its block at `block`.
Batch moved(Batch batch, std::byte* block) {
  const auto* from = static_cast<const std::byte*>(batch.block.data);
  const auto move = [&](Tensor& t) {
    if (t) t.data = block + (static_cast<const std::byte*>(t.data) - from);
  };
  for (Tensor* t : {&batch.tokens, &batch.positions, &batch.sequence_starts, &batch.whole, &batch.exempt,
                    &batch.block_table, &batch.sequence, &batch.block})
    move(*t);
  for (auto& chunk : batch.chunks) move(chunk.first), move(chunk.starts), move(chunk.queries);
  return batch;
}

// Multiplications per head. Both forms of attention pay per (query, key) pair; expanding also pays for every
// key's latent, absorbing for every query's.
struct Multiplications {
  double latent, expanded_pair, absorbed_pair;

  explicit Multiplications(const Config& c)
      : latent(static_cast<double>(c.kv_lora_rank * (c.qk_nope_head_dim + c.v_head_dim))),
        expanded_pair(static_cast<double>(c.qk_head_dim() + c.v_head_dim)),
        absorbed_pair(static_cast<double>(2 * c.kv_lora_rank + c.qk_rope_head_dim)) {}
};

// Of grouped-query attention, where reading the cache in place costs a reading of every key for every query:
// how often a key is moved to be gathered (read, written, and read by attention).
constexpr int64_t passes_to_gather = 3;

}  // namespace

LatentCache allocate_cache(const Config& config, Arena& arena, DType dtype, int64_t pages,
                           int64_t page_size) {
  LatentCache cache;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    cache.pages.push_back(arena.allocate(dtype, {pages, page_size, config.cache_width()}));
  return cache;
}

BatchSize HostBatch::size() const {
  const auto N = static_cast<int64_t>(tokens.size());
  BatchSize size{N, static_cast<int64_t>(sequence_starts.size()) - 1, N};
  size.units = static_cast<int64_t>(exempt.size());
  if (max_pages == 0) return size;
  size.keys = 0, size.chunks = static_cast<int64_t>(chunks.size());
  for (const HostKeyChunk& c : chunks) size.keys = std::max<int64_t>(size.keys, c.starts.back());
  return size;
}

Batch allocate_batch(Arena& arena, const BatchSize& size, int64_t max_pages) {
  const auto ints = [&](std::initializer_list<int64_t> shape) { return arena.allocate(DType::i32, shape); };
  const int64_t before = arena.used();
  Batch batch;
  batch.tokens = ints({size.tokens});
  batch.positions = ints({size.tokens});
  batch.sequence_starts = ints({size.sequences + 1});
  batch.whole = ints({2});
  if (size.units > 0) batch.exempt = ints({size.units});
  if (max_pages > 0) {
    batch.block_table = ints({size.sequences, max_pages});
    batch.sequence = ints({size.tokens});
    for (int64_t i = 0; i < size.chunks; ++i)
      batch.chunks.push_back(
          {ints({size.sequences}), ints({size.sequences + 1}), ints({size.sequences + 1})});
  }
  batch.block = Tensor(batch.tokens.data, DType::i32, {(arena.used() - before) / size_of(DType::i32)});
  return batch;
}

void check_tokens(const Config& c, std::span<const int32_t> tokens, std::span<const int32_t> positions) {
  for (const int32_t id : tokens)
    check(id >= 0 && id < c.vocab_size, "token id {} is outside the vocabulary of {}", id, c.vocab_size);
  for (const int32_t position : positions)
    check(position >= 0 && position < c.max_position_embeddings,
          "position {} is past the longest context, max_position_embeddings = {}", position,
          c.max_position_embeddings);
}

void write_batch(const HostBatch& host, Batch& batch) {
  put(batch.tokens, host.tokens);
  put(batch.positions, host.positions);
  put(batch.sequence_starts, host.sequence_starts);
  put(batch.whole, {0, static_cast<int32_t>(host.tokens.size())});
  if (batch.exempt) put(batch.exempt, host.exempt);
  if (host.max_pages == 0) return;
  put(batch.block_table, host.block_table);
  put(batch.sequence, host.sequence);
  assert(batch.chunks.size() == host.chunks.size());
  for (size_t i = 0; i < host.chunks.size(); ++i) {
    put(batch.chunks[i].first, host.chunks[i].first);
    put(batch.chunks[i].starts, host.chunks[i].starts);
    put(batch.chunks[i].queries, host.chunks[i].queries);
    batch.chunks[i].keys = host.chunks[i].starts.back();
  }
}

void upload_batch(const Device& device, const Config& config, const HostBatch& host, Batch& batch) {
  if (!device.on_host()) check_tokens(config, host.tokens, host.positions);
  std::vector<std::byte> block(static_cast<size_t>(batch.block.bytes()));
  Batch written = moved(batch, block.data());
  write_batch(host, written);
  upload(device, batch.block, written.block);
  for (size_t i = 0; i < batch.chunks.size(); ++i) batch.chunks[i].keys = written.chunks[i].keys;
}

bool absorbed_is_cheaper(const Config& c, int64_t new_tokens, int64_t length, int64_t shared) {
  const auto queries = static_cast<double>(new_tokens), keys = static_cast<double>(length),
             expanded_keys = static_cast<double>(length - shared);
  const double pairs = queries * (keys - (queries - 1) / 2);
  if (!c.is_mla()) return pairs < expanded_keys * passes_to_gather;
  const Multiplications per(c);
  return queries * per.latent + pairs * per.absorbed_pair < expanded_keys * per.latent + pairs * per.expanded_pair;
}

// Of n new tokens after m others, absorbing saves m latents and costs more for at least n * m pairs.
int64_t most_absorbed_tokens(const Config& c) {
  if (!c.is_mla()) return 2 * passes_to_gather;  // without a prefix n (n + 1) / 2 pairs and n keys
  const Multiplications per(c);
  const double more = per.absorbed_pair - per.expanded_pair;
  const auto longest = static_cast<double>(c.max_position_embeddings);
  return static_cast<int64_t>(more > 0 ? std::min(per.latent / more, longest) : longest);
}

}  // namespace fathom
