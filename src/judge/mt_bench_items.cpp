#include "judge/mt_bench_items.h"

#include "base/error.h"

namespace fathom {
namespace {

using Places = std::map<std::string, std::string>;

const JudgePrompt& prompt_for(const MtBench& bench, const MtQuestion& question, int turn,
                              const std::string& general, const std::string& with_reference) {
  const std::string name =
      (question.needs_reference() ? with_reference : general) + (turn == 2 ? "-multi-turn" : "");
  const auto found = bench.prompts.find(name);
  check(found != bench.prompts.end(), "the judge's prompts: there is none named '{}'", name);
  return found->second;
}

Places places_of(const MtBench& bench, const MtQuestion& question) {
  Places places = {
      {"question", question.turns[0]}, {"question_1", question.turns[0]}, {"question_2", question.turns[1]}};
  if (!question.needs_reference()) return places;
  const auto reference = bench.references.turns.find(question.id);
  check(reference != bench.references.turns.end(),
        "question {} ({}) needs a reference answer, and there is none", question.id, question.category);
  places["ref_answer_1"] = reference->second[0];
  places["ref_answer_2"] = reference->second[1];
  return places;
}

void add_answer(Places& places, const std::string& name, const MtTurns& turns) {
  places[name] = places[name + "_1"] = turns[0];
  places[name + "_2"] = turns[1];
}

JudgeItem item_of(const std::string& id, const JudgePrompt& prompt, const Places& places, OrderedJson about) {
  const std::string user = prompt.user.fill(places, "the judge's prompt '" + prompt.name + "'");
  Json messages = Json::array();
  if (!prompt.system.empty()) messages.push_back({{"role", "system"}, {"content", prompt.system}});
  messages.push_back({{"role", "user"}, {"content", user}});
  about["user_prompt"] = user;
  return {id, std::move(about), std::move(messages)};
}

}  // namespace

std::vector<JudgeItem> rating_items(const MtBench& bench, const MtAnswers& answers,
                                    const std::string& judge) {
  std::vector<JudgeItem> items;
  for (const MtQuestion& q : bench.questions)
    for (int turn = 1; turn <= 2; ++turn) {
      const JudgePrompt& prompt = prompt_for(bench, q, turn, "single-v1", "single-math-v1");
      Places places = places_of(bench, q);
      add_answer(places, "answer", answers.turns.at(q.id));
      items.push_back(item_of(fmt::format("{}/{}", q.id, turn), prompt, places,
                              {{"question_id", q.id},
                               {"model", answers.model},
                               {"judge", {judge, prompt.name}},
                               {"turn", turn}}));
    }
  return items;
}

std::vector<JudgeItem> pair_items(const MtBench& bench, const MtAnswers& model_1, const MtAnswers& model_2,
                                  const std::string& judge) {
  std::vector<JudgeItem> items;
  for (const MtQuestion& q : bench.questions)
    for (int turn = 1; turn <= 2; ++turn)
      for (int game = 1; game <= 2; ++game) {
        const JudgePrompt& prompt = prompt_for(bench, q, turn, "pair-v2", "pair-math-v1");
        Places places = places_of(bench, q);
        add_answer(places, "answer_a", (game == 1 ? model_1 : model_2).turns.at(q.id));
        add_answer(places, "answer_b", (game == 1 ? model_2 : model_1).turns.at(q.id));
        items.push_back(item_of(fmt::format("{}/{}/{}", q.id, turn, game), prompt, places,
                                {{"question_id", q.id},
                                 {"model_1", model_1.model},
                                 {"model_2", model_2.model},
                                 {"judge", {judge, prompt.name}},
                                 {"turn", turn},
                                 {"game", game}}));
      }
  return items;
}

}  // namespace fathom
