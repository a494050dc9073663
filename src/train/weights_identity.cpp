#include "train/weights_identity.h"

#include <vector>

#include "base/error.h"
#include "base/threads.h"
#include "comm/agreement.h"
#include "io/checkpoint.h"
#include "io/descriptor.h"
#include "text/tokenizer_identity.h"
#include "train/checksums.h"

namespace fathom {
namespace {

std::string text_of(const std::string& identity) {
  return identity.empty() ? "none" : short_identity(identity);
}

}  // namespace

std::string weights_identity(Communicator& ranks, const std::string& path, int threads) {
  const CheckpointReader file(path);
  std::vector<const SafetensorsEntry*> entries;
  for (const std::string& name : file.names()) entries.push_back(file.entry(name));
  std::vector<HashValue> hashes(entries.size());
  together(ranks, [&] {
    const std::vector<size_t> mine = tensors_of_rank(ranks, entries);
    parallel_tasks(threads, static_cast<int64_t>(mine.size()), [&](int, int64_t i) {
      ContentHash hash;
      hash.add(entries[mine[static_cast<size_t>(i)]]->bytes);
      hashes[mine[static_cast<size_t>(i)]] = hash.value();
    });
  });
  sum_hashes(ranks, hashes);
  ContentHash all;
  for (size_t i = 0; i < entries.size(); ++i) {
    const SafetensorsEntry& e = *entries[i];
    all.add(fmt::format("{} {} [{}] {}\n", e.name, e.dtype, fmt::join(e.shape, ","), hashes[i].text()));
  }
  return all.digest();
}

void check_same_base(const std::string& checkpoint, const RunState& now, const Recipe& recipe) {
  const std::string path = file_in(checkpoint, "trainer.json");
  const RunState then = read_run_state(path);
  check(then.base == now.base, "{}: trained beside the weights {}, and those of model.init_from = {} are {}",
        path, text_of(then.base), recipe.model.init_from, text_of(now.base));
  check(then.adapter == now.adapter, "{}: trained from the adapter {}, and that of lora.init_from{} is {}",
        path, text_of(then.adapter), recipe.lora.init_from.empty() ? "" : " = " + recipe.lora.init_from,
        text_of(now.adapter));
}

}  // namespace fathom
