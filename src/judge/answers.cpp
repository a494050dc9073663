#include "judge/answers.h"

#include "base/error.h"
#include "io/content_hash.h"

namespace fathom {
namespace {

// An answer depends on what it answers alone, not on its place among others.
uint64_t seed_of(uint64_t seed, const std::string& id) {
  return hash_value(fmt::format("{}:{}", seed, id)).low;
}

Json user(const std::string& text) {
  return {{"role", "user"}, {"content", text}};
}

std::string text_of(const Journal& journal, const std::string& id) {
  const Json* row = journal.row(id);
  check(row && row->contains("text"), "{}: no answer with the id {}", journal.path(), id);
  return JsonObject(*row, journal.path()).required<std::string>("text");
}

void answer_missing(std::vector<Asked> all, const AnswerAll& answer, Journal& journal) {
  std::erase_if(all, [&](const Asked& asked) { return journal.row(asked.id) != nullptr; });
  int64_t failed = 0, answered_some = 0;
  std::string reason;
  answer(all, [&](size_t i, Answered&& answered) {
    if (!answered.failure.empty()) {
      ++failed, reason = answered.failure;
      check(answered_some > 0 || failed < 8, "none of the first {} questions got an answer: {}", failed,
            reason);
      return;
    }
    ++answered_some;
    journal.append({{"id", all[i].id},
                    {"text", answered.text},
                    {"finish", answered.finish},
                    {"messages", OrderedJson(all[i].messages)}});
  });
  check(failed == 0, "{} of {} answers failed, the last with: {}; the same command asks for them again",
        failed, all.size(), reason);
}

std::string turn_id(const MtQuestion& q, int turn) {
  return fmt::format("{}/{}", q.id, turn);
}

}  // namespace

MtAnswers answer_mt_bench(const std::vector<MtQuestion>& questions, const std::string& model,
                          const AnswerAll& answer, int64_t max_tokens, uint64_t seed, Journal& journal) {
  for (int turn = 1; turn <= 2; ++turn) {
    std::vector<Asked> all;
    for (const MtQuestion& q : questions) {
      Json messages = Json::array({user(q.turns[0])});
      if (turn == 2) {
        messages.push_back({{"role", "assistant"}, {"content", text_of(journal, turn_id(q, 1))}});
        messages.push_back(user(q.turns[1]));
      }
      const std::string id = turn_id(q, turn);
      all.push_back({id, std::move(messages), q.temperature(), seed_of(seed, id), max_tokens});
    }
    answer_missing(std::move(all), answer, journal);
  }
  MtAnswers answers{.model = model, .turns = {}};
  for (const MtQuestion& q : questions)
    answers.turns[q.id] = {text_of(journal, turn_id(q, 1)), text_of(journal, turn_id(q, 2))};
  return answers;
}

AlpacaOutputs answer_alpaca(const AlpacaOutputs& baseline, const std::string& model, const AnswerAll& answer,
                            int64_t max_tokens, uint64_t seed, Journal& journal) {
  std::vector<Asked> all;
  for (size_t i = 0; i < baseline.rows.size(); ++i) {
    const std::string& instruction = baseline.rows[i].instruction;
    all.push_back(
        {fmt::format("{}", i), Json::array({user(instruction)}), {}, seed_of(seed, instruction), max_tokens});
  }
  answer_missing(std::move(all), answer, journal);
  AlpacaOutputs outputs{.generator = model, .rows = {}};
  for (size_t i = 0; i < baseline.rows.size(); ++i)
    outputs.rows.push_back(
        {baseline.rows[i].instruction, text_of(journal, fmt::format("{}", i)), baseline.rows[i].dataset});
  return outputs;
}

std::string endings_of(const Journal& journal) {
  int64_t cut = 0, no_room = 0, empty = 0;
  for (const auto& [id, row] : journal.rows()) {
    const std::string finish = row.value("finish", "");
    cut += finish == "length", no_room += finish == "context", empty += row.value("text", "").empty();
  }
  std::string text;
  const auto add = [&](int64_t count, const char* what) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, what);
  };
  add(cut, "cut at the limit"), add(no_room, "at the end of the context"), add(empty, "empty");
  return text.empty() ? "" : fmt::format("of {} answers: {}", journal.rows().size(), text);
}

}  // namespace fathom
