#include "judge/alpaca.h"

#include <map>

#include "base/error.h"
#include "io/json_rows.h"
#include "text/sent_json.h"

namespace fathom {

AlpacaOutputs read_alpaca_outputs(const std::string& path) {
  AlpacaOutputs outputs;
  std::map<std::string, std::string> seen;
  JsonRows rows(path);
  for (Json json; rows.next(json);) {
    const JsonObject row(json, rows.where());
    AlpacaOutput out{row.required<std::string>("instruction"), row.required<std::string>("output"),
                     row.optional<std::string>("dataset", "")};
    const auto generator = row.required<std::string>("generator");
    if (outputs.rows.empty()) outputs.generator = generator;
    check(generator == outputs.generator, "{}: an output of '{}' among those of '{}'", rows.where(),
          generator, outputs.generator);
    const auto [known, added] = seen.emplace(out.instruction, rows.where());
    check(added, "{}: the instruction is there twice, first in {}", rows.where(), known->second);
    outputs.rows.push_back(std::move(out));
  }
  check(!outputs.rows.empty(), "{}: no outputs", path);
  return outputs;
}

std::string alpaca_outputs_text(const AlpacaOutputs& outputs) {
  std::string text = "[\n";
  for (size_t i = 0; i < outputs.rows.size(); ++i) {
    const AlpacaOutput& row = outputs.rows[i];
    text += json_line(OrderedJson{{"dataset", row.dataset},
                                  {"instruction", row.instruction},
                                  {"output", row.output},
                                  {"generator", outputs.generator}}) +
            (i + 1 < outputs.rows.size() ? ",\n" : "\n");
  }
  return text + "]\n";
}

AlpacaJoin join_outputs(const AlpacaOutputs& baseline, const AlpacaOutputs& model) {
  std::map<std::string_view, const AlpacaOutput*> by_instruction;
  for (const AlpacaOutput& row : model.rows) by_instruction[row.instruction] = &row;
  AlpacaJoin join;
  for (size_t i = 0; i < baseline.rows.size(); ++i) {
    const auto found = by_instruction.find(baseline.rows[i].instruction);
    if (found == by_instruction.end())
      ++join.missing;
    else
      join.pairs.push_back({static_cast<int64_t>(i), &baseline.rows[i], found->second});
  }
  join.unknown = static_cast<int64_t>(model.rows.size() - join.pairs.size());
  check(!join.pairs.empty(), "'{}' has outputs for none of the instructions of '{}'", model.generator,
        baseline.generator);
  return join;
}

}  // namespace fathom
