#include "align/chat_rows.h"

#include <algorithm>
#include <array>

#include "align/json_rows.h"
#include "base/error.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/threads.h"

namespace fathom {
namespace {

constexpr size_t batch_rows = 2048;  // encoded in parallel

// One conversation on its way.
struct Conversation {
  Json json;
  std::string where;
  std::vector<EncodedRow> rows;
  ChatNotes notes;
  std::string error;
};

void encode(Conversation& c, const ChatEncoder& encoder) {
  try {
    c.rows = encoder.encode(chat_row(c.json, c.where), c.notes);
  } catch (const Error& error) {
    c.error = error.what();
  }
}

class RowKeeper {
 public:
  RowKeeper(const Recipe& recipe, TokenRows& rows, ChatCounts& counts)
      : chat_(recipe.chat),
        most_(static_cast<size_t>(recipe.data.sequence_length) + 1),
        rows_(rows),
        counts_(counts) {}

  void keep(Conversation& c) {
    ++counts_.conversations;
    if (!c.error.empty()) {
      check(!chat_.strict, "{}", c.error);
      counts_.unusable.add(std::move(c.error));
      return;
    }
    counts_.notes += c.notes;
    for (EncodedRow& row : c.rows) keep(row);
  }

 private:
  void keep(EncodedRow& row) {
    if (row.tokens.size() > most_) {
      if (chat_.overlong == "drop") return void(++counts_.too_long);
      row.tokens.resize(most_), row.weights.resize(most_);
      if (row.targets() == 0) return void(++counts_.lost_targets);
      ++counts_.cut;
    }
    ++counts_.rows;
    counts_.tokens += static_cast<int64_t>(row.tokens.size()), counts_.targets += row.targets();
    rows_.add(row);
  }

  const Recipe::Chat& chat_;
  const size_t most_;
  TokenRows& rows_;
  ChatCounts& counts_;
};

}  // namespace

void ChatCounts::log(const std::string& what) const {
  const auto count = [](int64_t n) { return human_count(static_cast<double>(n)); };
  log::info("{}: {} conversations, {} rows of {} tokens, of which {} are learned", what, count(conversations),
            count(rows), count(tokens), count(targets));
  if (unusable.count > 0) {
    std::string examples;
    for (const std::string& example : unusable.examples) examples += "\n  " + example;
    log::warn("{}: {} conversations cannot be used and are left out, such as{}", what, unusable.count, examples);
  }
  if (too_long + cut + lost_targets > 0)
    log::warn("{}: of the rows longer than data.sequence_length {} are left out, {} are cut, and {} would have no "
              "target left and are left out too",
              what, too_long, cut, lost_targets);
  if (notes.without_end > 0)
    log::warn("{}: behind {} of {} answers the chat template writes no end token: a model will not learn to stop",
              what, notes.without_end, notes.answers);
  if (notes.shared_tokens > 0)
    log::warn("{}: {} of {} answers begin inside a token of the prompt, which is not learned", what,
              notes.shared_tokens, notes.answers);
  if (notes.rewritten > 0)
    log::info("{}: {} answers are rows of their own, since the chat template writes them differently once the "
              "conversation goes on",
              what, notes.rewritten);
}

void read_chat_rows(const std::string& path, const ChatEncoder& encoder, const Recipe& recipe, int threads,
                    TokenRows& rows, ChatCounts& counts) {
  JsonRows reader(path, recipe.chat.strict ? nullptr : &counts.unusable);
  Progress progress("encode", reader.source().total(), "bytes");
  RowKeeper keeper(recipe, rows, counts);
  const int64_t before = counts.rows;
  for (bool more = true; more;) {
    std::vector<Conversation> batch;
    Json json;
    while (batch.size() < batch_rows && (more = reader.next(json)))
      batch.push_back({std::move(json), reader.where(), {}, {}, {}});
    parallel_tasks(threads, static_cast<int64_t>(batch.size()),
                   [&](int, int64_t i) { encode(batch[static_cast<size_t>(i)], encoder); });
    for (Conversation& c : batch) keeper.keep(c);
    progress.update(reader.source().consumed());
  }
  if (counts.rows > before) return;
  check(counts.unusable.examples.empty(), "{}: no conversation can be used: {}", path,
        counts.unusable.examples.empty() ? "" : counts.unusable.examples.front());
  fail("{}: no conversation fits data.sequence_length = {}", path, recipe.data.sequence_length);
}

}  // namespace fathom
