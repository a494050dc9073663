// Verdicts of IFEval's own program on answers of real models, where the variable FATHOM_IFEVAL_VERDICTS names
// a .jsonl of rows with its fields, the answer (response) and the two lists of verdicts (strict, loose).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>

#include "answers/instructions.h"
#include "io/lines.h"

namespace fathom {
namespace {

struct Agreement {
  int all = 0, same = 0, unknown = 0;
};

TEST(IfevalPeer, GivesTheSameVerdicts) {
  const char* path = std::getenv("FATHOM_IFEVAL_VERDICTS");
  if (!path)
    GTEST_SKIP() << "FATHOM_IFEVAL_VERDICTS is not set: it names a file with verdicts of upstream's program";
  const bool shown = std::getenv("FATHOM_SHOW_DIFFERENCES") != nullptr;
  std::map<std::string, Agreement> of_kind;
  Agreement total;
  LineReader reader(path);
  for (std::string line; reader.next(line);) {
    const Json row = parse_json(line, path);
    const auto instructions = parse_instructions(row.at("instruction_id_list"), row.at("kwargs"), path);
    const auto response = row.at("response").get<std::string>();
    for (size_t i = 0; i < instructions.size(); ++i)
      for (const bool loose : {false, true}) {
        const Followed ours =
            loose ? follows_loosely(instructions[i], response) : follows(instructions[i], response);
        const bool theirs = row.at(loose ? "loose" : "strict")[i].get<bool>();
        const bool same = (ours == Followed::yes) == theirs;
        if (shown && !same)
          std::cout << instructions[i].id << " ours " << name_of(ours) << row.at("kwargs")[i] << ": "
                    << Json(response.substr(0, 150)).dump(-1, ' ', false, Json::error_handler_t::replace)
                    << "\n";
        for (Agreement* a : {&of_kind[instructions[i].id], &total})
          ++a->all, a->same += same, a->unknown += ours == Followed::unknown;
      }
  }
  for (const auto& [id, a] : of_kind) {
    std::cout << id << ": " << a.same << " of " << a.all << " the same, " << a.unknown << " unknown\n";
    // What the language decides may be unknown; and upstream draws another letter where it is asked for # or
    // !.
    if (a.unknown == 0 && id != "keywords:letter_frequency") {
      EXPECT_EQ(a.same, a.all) << id;
    }
  }
  std::cout << "all: " << total.same << " of " << total.all << " the same, " << total.unknown << " unknown\n";
  EXPECT_GT(total.all, 0);
  EXPECT_GE(total.same, 0.99 * total.all);
}

}  // namespace
}  // namespace fathom
