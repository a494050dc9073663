// Tasks over rows in memory, and a model that knows nothing to ask.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "eval/measurement.h"
#include "eval/merging_tokenizer.h"
#include "eval/task_run.h"
#include "io/file.h"
#include "support/small_model.h"
#include "support/temp_dir.h"

namespace fathom::testing {

inline const std::string choice_toml = R"(
name = "choice"
[data]
items = ["items.jsonl"]
shots = ["shots.jsonl"]
[prompt]
intro = "Choose.\n\n"
item = "Q: {{ q }}\nA:"
[shots]
count = 3
[choices]
texts = "{{ c | tojson }}"
gold = "{{ g }}"
metrics = ["sum", "unconditional"]
unconditional_prompt = "A:"
)";

inline const std::string generate_toml = R"(
name = "generate"
form = "generate"
[data]
items = ["items.jsonl"]
[prompt]
item = "Q: {{ q }}\nA:"
[generation]
max_tokens = 6
samples = 3
temperature = 1
majority_of = [3]
[[metric]]
key = ["{{ c[0] }}"]
)";

// Questions of different lengths, with two to five answers that begin alike or not.
inline std::string question_rows(int n, uint64_t seed) {
  Rng rng(seed);
  std::string rows;
  const auto word = [&] { return std::string(1 + rng.below(6), static_cast<char>('a' + rng.below(26))); };
  for (int i = 0; i < n; ++i) {
    Json row = {{"q", word() + std::to_string(i)}, {"c", Json::array()}, {"g", 0}};
    while (rng.below(3) > 0) row["q"] = row["q"].get<std::string>() + " " + word();
    const uint64_t answers = 2 + rng.below(4);
    for (uint64_t k = 0; k < answers; ++k)
      row["c"].push_back(k == 3 ? row["c"][0].get<std::string>() : word());
    rows += row.dump() + "\n";
  }
  return rows;
}

class SmallTask {
 public:
  explicit SmallTask(const std::string& toml, int items = 20, DType dtype = DType::f32)
      : task(parse_task(toml, "task.toml")), model(random_model(config(), dtype)) {
    write_file(folder / "items.jsonl", question_rows(items, 1));
    write_file(folder / "shots.jsonl", question_rows(6, 2));
    data = read_items(task, folder.path(), 0);
  }
  static Config config() {
    Config c = v2_like();
    c.vocab_size = 259, c.max_position_embeddings = 400;
    return c;
  }
  Engine engine(int64_t sequences = 8, int64_t budget = 64, int64_t page = 16, bool share = true,
                int64_t cache = 1200) {
    return {device,
            model,
            &tokenizer,
            {.cache_tokens = cache,
             .page_size = page,
             .max_sequences = sequences,
             .token_budget = budget,
             .share_prefixes = share,
             .absorbed = {},
             .score = true}};
  }
  std::vector<ItemSpan> spans() const { return {{&data.subjects[0], data.subjects[0].items}}; }
  std::vector<Measured> measure(Engine& engine, std::span<const Item> items, uint64_t seed = 1) {
    EngineAnswerer answerer(engine);
    return Measurement(answerer, tokenizer, task, nullptr, {.seed = seed, .eos_token_ids = {256}, .threads = 3})
        .measure(std::vector<ItemSpan>{{&data.subjects[0], items}}, [](int64_t) {});
  }
  std::vector<Measured> measure(Engine& engine) { return measure(engine, data.subjects[0].items); }

  TempDir folder;
  Task task;
  Device device = Device::cpu(1);
  // 257: " a", 258: "bb"
  Tokenizer tokenizer = merging_tokenizer({{" ", "a"}, {"b", "b"}}, true);
  Model model;
  TaskItems data;
};

}  // namespace fathom::testing
