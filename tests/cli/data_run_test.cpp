// From raw text to a model, by the program alone: text is screened and prepared, two sources are mixed, and a
// run that stops and goes on ends as one that does not.
#include <gmock/gmock.h>

#include "io/json.h"
#include "support/program.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;
using testing::Outcome;
using testing::run_fathom;

// Another word for each number below 26^3.
std::string word(int n) {
  std::string text = "ab";
  for (int rest = n, k = 0; k < 3; ++k, rest /= 26) text += static_cast<char>('a' + rest % 26);
  return text;
}

// Ordinary text as the rules of quality see it, no sentence of it in another document.
std::string document(int number) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    const int first = 60 * number + 5 * i;
    text += fmt::format("The {} of {} have {} to {} and {}. ", word(first), word(first + 1), word(first + 2),
                        word(first + 3), word(first + 4));
  }
  return text;
}

class DataRun : public ::testing::Test {
 protected:
  Outcome fathom(const std::string& arguments) const {
    Outcome run = run_fathom(arguments, "cd " + dir_.path() + " &&");
    EXPECT_EQ(run.exit_code, 0) << arguments << "\n" << run.err;
    return run;
  }
  void add(const std::string& file, const std::string& field, const std::string& text) const {
    write_file(dir_ / file, (std::filesystem::exists(dir_ / file) ? read_file(dir_ / file) : "") + "{\"" +
                                field + "\": " + json_quoted(text) + "}\n");
  }
  void write_texts() const {
    const std::string question =
        "What weighs more in water a pound of iron or a pound of feathers and why is that so";
    write_file(dir_ / "eval.jsonl", "{\"question\": \"" + question + "?\"}\n");
    for (int i = 0; i < 120; ++i) {
      add("web.jsonl", "text", document(i));
      if (i % 12 == 5) add("web.jsonl", "text", document(i));
      if (i % 17 == 6) add("web.jsonl", "text", "At first: " + document(i - 3));
      if (i % 24 == 7) add("web.jsonl", "text", document(200 + i) + "\n" + question + ".");
      if (i % 30 == 8) add("web.jsonl", "text", "The end of it and of that. No more. None.");
      if (i % 40 == 9) add("web.jsonl", "text", document(i) + "{");
      if (i % 3 == 0) add("books.jsonl", "body", document(130 + i / 3));
    }
  }
  void write_recipe() const {
    write_file(dir_ / "recipe.toml", R"(
[model]
vocab_size = 300
hidden_size = 16
num_hidden_layers = 2
intermediate_size = 24
num_attention_heads = 2
q_lora_rank = 0
kv_lora_rank = 8
qk_nope_head_dim = 8
qk_rope_head_dim = 4
v_head_dim = 8
n_routed_experts = 4
num_experts_per_tok = 2
moe_intermediate_size = 8
[data]
sequence_length = 32
[[data.source]]
path = "web"
weight = 3
[[data.source]]
path = "books"
weight = 1
[batch]
sequences = 64
micro_batch = 16
[schedule]
steps = 8
[run]
threads = 1
)");
  }

  TempDir dir_;
};

int64_t training_tokens(const std::string& out) {
  const size_t at = out.find(" tokens for training");
  return std::stoll(out.substr(out.rfind('\n', at) + 1));
}

TEST_F(DataRun, ScreensPreparesMixesTrainsAndResumes) {
  write_texts();
  const Outcome web = fathom(
      "prepare web.jsonl --train-tokenizer 300 --validation 0.1 --quality --near-duplicates 0.8"
      " --evaluation eval.jsonl --out web");
  const Json screening = read_json(dir_ / "web/screening.json");
  std::map<std::string, int64_t> dropped;
  for (const auto& [reason, count] : screening["dropped"].items()) dropped[reason] = count["documents"];
  EXPECT_EQ(dropped, (std::map<std::string, int64_t>{{"quality/words", 4},
                                                     {"quality/curly_braces", 3},
                                                     {"contamination", 5},
                                                     {"duplicate", 10},
                                                     {"near duplicate", 7}}));
  EXPECT_EQ(screening["kept"]["documents"], 120);
  EXPECT_THAT(web.out, HasSubstr("web: 120 documents"));
  const Outcome books =
      fathom("prepare books.jsonl --text-field body --tokenizer web --validation 0 --out books");
  EXPECT_THAT(books.out, HasSubstr("books: 40 documents"));

  // Of the first 320 sequences 240 are from web, of all 512, 384.
  write_recipe();
  const std::string train = "train --config recipe.toml --run.output ";
  const Outcome whole = fathom(train + "whole"), half = fathom(train + "parts --run.stop_at 5"),
                rest = fathom(train + "parts --resume");
  EXPECT_THAT(half.out, HasSubstr("stopped after step 5"));
  EXPECT_THAT(rest.out, HasSubstr("finished after step 8"));
  for (const auto& [out, name, weight, then, end] :
       {std::tuple{web.out, "web", 3, 240, 384}, std::tuple{books.out, "books", 1, 80, 128}}) {
    const auto windows = static_cast<double>((training_tokens(out) - 1) / 32);
    EXPECT_THAT(rest.err, HasSubstr(fmt::format(
                              "{}: weight {}, {:.0f} sequences, read {:.2f} times so far, {:.2f} times in "
                              "the whole run",
                              name, weight, windows, then / windows, end / windows)));
  }
  EXPECT_EQ(read_file(dir_ / "parts/model/model.safetensors"),
            read_file(dir_ / "whole/model/model.safetensors"));
  EXPECT_THAT(whole.out, HasSubstr("validation loss"));
}

}  // namespace
}  // namespace fathom
