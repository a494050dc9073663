// Models with a score head: transformers' scores and gradients (tools/make_score_golden.py), what starts them
// from a language model, and their folders.
#include "model/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "model/head.h"
#include "model/verify_tolerance.h"
#include "ops/permute.h"
#include "support/golden.h"
#include "support/gpus.h"
#include "support/peer.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

std::string scores_dir(const std::string& name) {
  return source_dir() + "/tests/golden_scores/" + name;
}

// The texts of a golden file as one batch of a model, and what is computed of it.
class ScorePass {
 public:
  ScorePass(Device& device, const Model& model, const SafetensorsFile& golden)
      : device_(device),
        model_(model),
        starts_(values(golden, "starts")),
        rows_(scored_rows(starts_)),
        memory_("test", int64_t{64} << 20, device) {
    host_.tokens = values(golden, "tokens");
    host_.sequence_starts = starts_;
    for (size_t b = 0; b + 1 < starts_.size(); ++b)
      for (int32_t t = starts_[b]; t < starts_[b + 1]; ++t) host_.positions.push_back(t - starts_[b]);
  }

  // Scores [B, num_labels] and, with `grads`, the gradients of the mean pair-wise loss.
  std::vector<double> run(WeightGradients* grads) {
    const DType dtype = model_.dtype;
    const auto N = static_cast<int64_t>(host_.tokens.size()), B = static_cast<int64_t>(starts_.size()) - 1;
    const int64_t C = model_.config.hidden_size;
    const BatchSize size = host_.size();
    Activations a = allocate_activations(model_.config, memory_, dtype, Purpose::training, size);
    Batch batch = allocate_batch(memory_, size);
    upload_batch(device_, model_.config, host_, batch);
    const Tensor token_of = memory_.allocate(DType::i32, {B}), row_of = memory_.allocate(DType::i32, {N, 1});
    upload(device_, token_of, ConstTensor(rows_.token_of.data(), DType::i32, {B}));
    upload(device_, row_of, ConstTensor(rows_.row_of.data(), DType::i32, {N, 1}));
    const Tensor hidden = model_forward(device_, model_, batch, a), last = memory_.allocate(dtype, {B, C});
    permute(device_, {.out = last, .x = hidden, .token_of = token_of});
    std::vector<double> scores;
    Staging staging(device_);
    const LossFunction loss = [&](int64_t, const Tensor& logits, const Tensor& dlogits) {
      scores = as_doubles(staging.read(logits));
      if (!dlogits) return;
      staging.write(dlogits, [&](const Tensor& host) { write_pair_gradients(scores, host); });
    };
    if (!grads) {
      head_forward(device_, model_, last, memory_, loss);
      return scores;
    }
    const Tensor dlast = memory_.allocate(dtype, {B, C}), dhidden = memory_.allocate(dtype, {N, C});
    head_backward(device_, model_, last, memory_, loss, dlast, *grads);
    permute_backward(device_, {.dx = dhidden, .dout = dlast, .row_of = row_of});
    model_backward(device_, model_, batch, a, dhidden, *grads, /*balance_weight=*/0);
    return scores;
  }
  Arena& memory() { return memory_; }

  static std::vector<double> as_doubles(const ConstTensor& t) {
    std::vector<double> out(static_cast<size_t>(t.count()));
    copy_tensor(t, Tensor(out.data(), DType::f64, {t.rows(), t.cols()}), "values");
    return out;
  }

 private:
  static std::vector<int32_t> values(const SafetensorsFile& file, const std::string& name) {
    return file.read_ints(name);
  }
  // Of the mean of -log sigmoid(first - second) over pairs and labels.
  static void write_pair_gradients(const std::vector<double>& scores, const Tensor& d) {
    const int64_t L = d.cols();
    std::vector<double> gradient(scores.size());
    for (int64_t b = 0; b < d.rows(); b += 2)
      for (int64_t l = 0; l < L; ++l) {
        const double difference = scores[b * L + l] - scores[(b + 1) * L + l];
        const double g = -1 / (1 + std::exp(difference)) / static_cast<double>(d.count() / 2);
        gradient[b * L + l] = g, gradient[(b + 1) * L + l] = -g;
      }
    copy_tensor(ConstTensor(gradient.data(), DType::f64, {d.rows(), L}), d, "dlogits");
  }

  Device& device_;
  const Model& model_;
  HostBatch host_;
  std::vector<int32_t> starts_;
  ScoredRows rows_;
  Arena memory_;
};

double pair_loss(const std::vector<double>& scores, int64_t labels) {
  double sum = 0;
  const auto L = static_cast<size_t>(labels);
  for (size_t i = 0; i < scores.size() / L; i += 2)
    for (size_t l = 0; l < L; ++l) sum += std::log1p(std::exp(scores[(i + 1) * L + l] - scores[i * L + l]));
  return sum / (static_cast<double>(scores.size()) / 2);
}

struct Case {
  const char* model;
  const char* device;
  DType dtype;
};
class ScoreGolden : public ::testing::TestWithParam<Case> {};
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* model : {"reward_v2", "classifier_llama"}) {
    all.push_back({model, "reference", DType::f64});
    all.push_back({model, "cpu", DType::f32});
    if (gpus() > 0) all.push_back({model, "cuda", DType::f32});
  }
  return all;
}
INSTANTIATE_TEST_SUITE_P(Models, ScoreGolden, ::testing::ValuesIn(cases()), [](const auto& info) {
  return std::string(info.param.model) + "_" + info.param.device;
});

TEST_P(ScoreGolden, AgreesWithTransformers) {
  const auto [name, where, dtype] = GetParam();
  Device device = Device::named(where, 2);
  const Model model = load_model(device, scores_dir(name), dtype);
  const Config& c = model.config;
  const SafetensorsFile golden(scores_dir(name) + "/golden.safetensors");
  ScorePass pass(device, model, golden);
  WeightGradients grads(c, pass.memory(), dtype);
  std::vector<double> scores = pass.run(&grads);
  const ConstTensor want = golden.tensor("scores");
  ASSERT_EQ(static_cast<int64_t>(scores.size()), want.count());
  EXPECT_LE(relative_error(ConstTensor(scores.data(), DType::f64, {want.rows(), want.cols()}), want),
            whole_tolerance(dtype, c.num_hidden_layers).value);
  EXPECT_NEAR(pair_loss(scores, c.num_labels), golden.tensor("loss").as<float>()[0],
              whole_tolerance(dtype, c.num_hidden_layers).value * 2);
  Staging staging(device);
  int compared = 0;
  for (const CheckpointPart& part : checkpoint_parts(c, grads.weights)) {
    const ConstTensor gradient = golden.tensor("grad." + part.name);
    ++compared;
    EXPECT_LE(relative_error(staging.read(part.tensor), gradient),
              whole_gradient_tolerance(dtype, c.num_hidden_layers).value)
        << part.name;
  }
  EXPECT_GE(compared, 15);
}

TEST(ScoreModel, HasItsHeadUnderTransformersName) {
  Config c = with_score_head(v2_like(), 3, 7, "test");
  c.tie_word_embeddings = true;  // of the embedding and a head that is not there
  const Model m = random_model(c, DType::f32);
  EXPECT_EQ(m.weights.head.data.shape_text(), "[3, 20] f32");
  EXPECT_NE(m.weights.head.data.data, m.weights.embed_tokens.data.data);
  EXPECT_EQ(list_weights(c, m.weights).back().info.name, "score.weight");
  Config language = v2_like();
  EXPECT_EQ(parameter_count(c), parameter_count(language) - (c.vocab_size - 3) * c.hidden_size);
  EXPECT_EQ(logits_chunk_rows(c, DType::f32, 1 << 20, true), 1 << 20);
}

TEST(ScoreModel, ConfigIsWrittenAsTransformersDoesAndReadAgain) {
  for (const Config& body : {v2_like(), lite_like(), gqa_like(), llama_like()})
    for (const int64_t labels : {1, 2, 5}) {
      Config c = with_score_head(body, labels, 7, "test");
      c.problem_type = "regression";
      const Json json = Json::parse(config_to_json(c, "float32").dump());
      EXPECT_TRUE(json["architectures"][0].get<std::string>().ends_with("ForSequenceClassification"));
      EXPECT_EQ(json["id2label"].size(), static_cast<size_t>(labels));
      EXPECT_EQ(json["pad_token_id"], 7);
      EXPECT_EQ(config_from_json(json, "again"), c);
    }
}

TEST(ScoreModel, LabelsAreCountedAsTransformersDoes) {
  const auto labels_with = [](const Json& change) {
    Json json = Json::parse(config_to_json(v2_like(), "float32").dump());
    json.update(change);
    return config_from_json(json, "config.json").num_labels;
  };
  const Json scoring = {"DeepseekV2ForSequenceClassification"};
  EXPECT_EQ(labels_with({{"num_labels", 3}}), 0);  // a language model all the same
  EXPECT_EQ(labels_with({{"architectures", scoring}}), 2);
  EXPECT_EQ(labels_with({{"architectures", scoring}, {"num_labels", 1}}), 1);
  EXPECT_EQ(labels_with({{"architectures", scoring}, {"id2label", {{"0", "a"}, {"1", "b"}, {"2", "c"}}}}), 3);
  const auto error = [&](const Json& change) { return error_of([&] { labels_with(change); }); };
  EXPECT_NE(error({{"architectures", scoring}, {"num_labels", 1}, {"id2label", {{"0", "a"}, {"1", "b"}}}})
                .find("field 'num_labels' is 1, and 'id2label' has 2 labels"),
            std::string::npos);
  EXPECT_NE(error({{"architectures", scoring}, {"num_labels", 0}}).find("'num_labels' is 0"),
            std::string::npos);
  EXPECT_NE(error({{"architectures", scoring}, {"pad_token_id", 1 << 20}}).find("'pad_token_id'"),
            std::string::npos);
  EXPECT_NE(error_of([] {
              with_score_head(v2_like(), 1, v2_like().eos_token_ids[0], "chat model");
            }).find("chat model: pad_token_id 2 is an eos_token_id"),
            std::string::npos);
}

TEST(ScoreModel, StartsFromALanguageModelWithEveryScoreZero) {
  Device device = Device::cpu(1);
  for (const Config& body : {v2_like(), lite_like()}) {  // lite_like ties its head
    TempDir dir;
    const Model language = random_model(body, DType::f32);
    save_model(device, dir.path(), language);
    const Config c = with_score_head(read_config(dir.path()), 1, 7, "test");
    Model model = random_model(c, DType::f32, 9);
    start_from_folder(device, c, model.weights, dir.path());
    const auto got = list_weights(c, model.weights);
    Config unscored = c;
    unscored.num_labels = 0;
    const auto want = list_weights(unscored, language.weights);
    for (size_t i = 0; i + 1 < got.size(); ++i)
      EXPECT_EQ(0,
                std::memcmp(got[i].weight.data.data, want[i].weight.data.data, want[i].weight.data.bytes()))
          << want[i].info.name;
    for (int64_t i = 0; i < c.hidden_size; ++i) EXPECT_EQ(model.weights.head.data.as<float>()[i], 0);

    TempDir scored;  // and goes on from its own folder, its head included
    model.weights.head.data.as<float>()[3] = 0.5f;
    save_model(device, scored.path(), model);
    Model again = random_model(c, DType::f32, 10);
    start_from_folder(device, c, again.weights, scored.path());
    EXPECT_EQ(again.weights.head.data.as<float>()[3], 0.5f);
    EXPECT_NE(error_of([&] {
                const Config two = with_score_head(unscored, 2, 7, "test");
                Model other = random_model(two, DType::f32);
                start_from_folder(device, two, other.weights, scored.path());
              }).find("its score head has 1 labels, and 2 are wanted"),
              std::string::npos);
  }
}

TEST(ScoreModel, TheLastTokenIsFoundByLength) {
  const std::vector<int32_t> starts = {0, 3, 4, 9};
  const ScoredRows rows = scored_rows(starts);
  EXPECT_EQ(rows.token_of, (std::vector<int32_t>{2, 3, 8}));
  EXPECT_EQ(rows.row_of, (std::vector<int32_t>{-1, -1, 0, 1, -1, -1, -1, -1, 2}));
  EXPECT_NE(error_of([] {
              scored_rows(std::vector<int32_t>{0, 2, 2});
            }).find("sequence 1 has no token"),
            std::string::npos);
}

// tools/check_hf.py loads what we save, and scores the same texts.
TEST(ScoreModel, SavedOnesLoadInTransformers) {
  FATHOM_NEEDS_PEER_PYTHON("torch, transformers");
  Device device = Device::cpu(2);
  for (const char* name : {"reward_v2", "classifier_llama"}) {
    const Model model = load_model(device, scores_dir(name), DType::f32);
    const SafetensorsFile golden(scores_dir(name) + "/golden.safetensors");
    std::vector<double> scores = ScorePass(device, model, golden).run(nullptr);
    TempDir dir;
    save_model(device, dir / "model", model);
    const int64_t L = model.config.num_labels, B = static_cast<int64_t>(scores.size()) / L;
    std::vector<float> narrow(scores.begin(), scores.end());
    std::vector<int32_t> tokens = golden.read_ints("tokens"), starts = golden.read_ints("starts");
    const auto ints = [](std::vector<int32_t>& values) {
      return Tensor(values.data(), DType::i32, {static_cast<int64_t>(values.size())});
    };
    const std::vector<NamedTensor> tensors = {{"tokens", ints(tokens)},
                                              {"starts", ints(starts)},
                                              {"scores", Tensor(narrow.data(), DType::f32, {B, L})}};
    write_safetensors(dir / "scores.safetensors", tensors);
    const Outcome run =
        run_peer("tools/check_hf.py " + (dir / "model") + " --scores " + (dir / "scores.safetensors"));
    EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
    std::printf("%s", run.out.c_str());
  }
}

}  // namespace
}  // namespace fathom::testing
