#include "engine/generation_config.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "support/captured_log.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

TEST(GenerationConfig, ReadsWhatIsThereAndFallsBack) {
  TempDir dir;
  Config c;
  c.eos_token_ids = {7};
  EXPECT_EQ(read_generation_config(dir.path(), c).eos_token_ids, (std::vector<int64_t>{7}));
  const std::string file = dir / "generation_config.json";
  write_file(file, R"({"do_sample": true, "temperature": 0.3, "top_p": 0.95, "eos_token_id": [1, 2]})");
  GenerationConfig g = read_generation_config(dir.path(), c);
  EXPECT_EQ(g.sampling.temperature, 0.3);
  EXPECT_EQ(g.sampling.top_p, 0.95);
  EXPECT_EQ(g.sampling.top_k, 50) << "transformers' default where the file samples";
  EXPECT_EQ(g.eos_token_ids, (std::vector<int64_t>{1, 2}));
  write_file(file, R"({"temperature": 0.3, "top_k": 5, "eos_token_id": 3})");
  g = read_generation_config(dir.path(), c);
  EXPECT_EQ(g.sampling.temperature, 0) << "do_sample is off unless it says so";
  EXPECT_EQ(g.sampling.top_k, 5);
  EXPECT_EQ(g.eos_token_ids, (std::vector<int64_t>{3}));
  write_file(file, R"({"eos_token_id": null})");
  EXPECT_EQ(read_generation_config(dir.path(), c).eos_token_ids, (std::vector<int64_t>{7}));

  for (const char* bad : {R"({"top_p": 2})", R"({"eos_token_id": "x"})", R"({"do_sample": 1})", "[]", "{"}) {
    write_file(file, bad);
    EXPECT_NE(error_of([&] { read_generation_config(dir.path(), c); }).find("generation_config.json"),
              std::string::npos)
        << bad;
  }
}

TEST(GenerationConfig, TopKOfAFileThatSamplesIsFiftyUnlessItSaysSo) {
  const auto top_k = [](const char* text) {
    return generation_config_from_json(Json::parse(text), "g", {}).sampling.top_k;
  };
  EXPECT_EQ(top_k(R"({"do_sample": true})"), 50);
  EXPECT_EQ(top_k(R"({"do_sample": true, "top_k": null})"), 50);
  EXPECT_EQ(top_k(R"({"do_sample": true, "top_k": 0})"), 0);
  EXPECT_EQ(top_k(R"({"do_sample": false})"), 0);
}

TEST(GenerationConfig, SettingsWithoutEffectAreNamedOnce) {
  const auto said = [](const std::string& name, const char* text) {
    const CapturedLog log;
    for (int i = 0; i < 2; ++i) generation_config_from_json(Json::parse(text), name, {});
    return log.text();
  };
  EXPECT_EQ(said("a", R"({"repetition_penalty": 1.05, "no_repeat_ngram_size": 3, "num_beams": 4,
                          "bad_words_ids": [[5]]})"),
            "a: not supported, and ignored: repetition_penalty 1.05, no_repeat_ngram_size 3, num_beams 4, "
            "bad_words_ids\n");
  EXPECT_EQ(said("b", R"({"do_sample": true, "typical_p": 0.9})"),
            "b: not supported, and ignored: typical_p 0.9\n");
  EXPECT_EQ(said("c", R"({"typical_p": 0.9, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
                          "num_beams": 1, "suppress_tokens": [], "forced_eos_token_id": null, "max_time": null,
                          "token_healing": false, "use_cache": true, "transformers_version": "5.24.0"})"),
            "");
}

}  // namespace
}  // namespace fathom::testing
