// Adapters as a user trains and uses them, alone and on several ranks; and what PEFT makes of them.
#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <sstream>

#include "align/reward_model.h"
#include "chat_run.h"
#include "model/adapter_folder.h"
#include "model/head.h"
#include "support/mpirun.h"
#include "support/peer.h"

namespace fathom {
namespace {

using namespace testing;
using ::testing::AllOf;
using ::testing::HasSubstr;

class LoraProgram : public ::testing::Test {
 protected:
  using Flags = std::vector<std::pair<std::string, std::string>>;
  // Later flags are in place of earlier ones.
  std::string command(const std::string& out, const Flags& more = {}, const std::string& task = "sft") const {
    Flags all = run_.flags(out, {{"lora.rank", "4"}, {"lora.alpha", "4"}, {"optimizer.lr", "1e-2"}});
    all.insert(all.end(), more.begin(), more.end());
    std::map<std::string, std::string> values;
    for (const auto& [key, value] : all) values[key] = value;
    std::string text = program() + " " + task;
    for (const auto& [key, value] : values) text += " --" + key + " " + value;
    return text;
  }
  std::string adapter(const std::string& out) const {
    return read_file(run_.path(out) + "/model/adapter_model.safetensors");
  }
  std::vector<double> losses(const std::string& out) const {
    std::istringstream lines(read_file(run_.path(out) + "/metrics.jsonl"));
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);)
      if (const Json json = Json::parse(line); json.contains("loss")) values.push_back(json["loss"]);
    return values;
  }
  std::string tokens(const std::string& model) const {
    const Outcome run =
        run_shell(program() + " generate " + model + " -p q1 -n 12 --greedy --ignore-eos --threads 1 --json");
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return run.exit_code == 0 ? Json::parse(run.out)["ids"].dump() : run.err;
  }

  // transformers wants whole heads in the hidden size.
  std::string model_for_peft() const {
    Config c = read_config(run_.path("model"));
    c.hidden_size = 8 * c.num_attention_heads;
    save_model(Device::cpu(1), run_.path("peft"), random_model(c, DType::f32));
    write_chat_tokenizer(run_.path("peft"));
    return run_.path("peft");
  }

  const ChatRun run_;
};

TEST_F(LoraProgram, TrainsChatsAndMerges) {
  const std::string jinja =
      run_.write("t.jinja",
                 "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}{{ eos_token }}"
                 "{% endfor %}{% if add_generation_prompt %}[a]{% endif %}");
  const Outcome run =
      run_shell(command("out", {{"chat.template", jinja},
                                {"lora.targets", "q_a_proj o_proj experts.gate_proj experts.up_proj"}}));
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\nadapter: " + run_.path("out/model")));
  EXPECT_THAT(run.err,
              AllOf(HasSubstr("adapters: "), HasSubstr("beside 10 projections; all else is frozen")));
  const std::string model = run_.path("model"), lora = run_.path("out/model");
  const Outcome chat = run_shell("echo q1 | " + program() + " chat " + model + " --adapter " + lora +
                                 " --threads 1 --greedy -n 4");
  EXPECT_EQ(chat.exit_code, 0) << chat.err;
  ASSERT_EQ(run_shell(program() + " merge " + model + " " + lora + " --out " + run_.path("merged")).exit_code,
            0);
  EXPECT_EQ(tokens(model + " --adapter " + lora), tokens(run_.path("merged")));
  EXPECT_NE(tokens(model + " --adapter " + lora), tokens(model));
  EXPECT_THAT(
      run_shell(program() + " generate " + lora + " -p q").err,
      AllOf(HasSubstr("not a model folder but an adapter's"), HasSubstr("beneath it (" + model + ")")));
}

// kill -9 at any moment loses no more than the steps since the last checkpoint.
TEST_F(LoraProgram, AKilledRunEndsAsAnUnbrokenOne) {
  ASSERT_EQ(run_shell(command("whole")).exit_code, 0);
  const std::string killed = command("out", {{"checkpoint.every", "2"}});
  run_shell(
      "( " + killed + " & pid=$!; while ! ls " + run_.path("out") +
      " 2>/dev/null | grep -q step-00000002; do sleep 0.01; done; kill -9 $pid; wait $pid ) 2>/dev/null");
  EXPECT_FALSE(std::filesystem::exists(run_.path("out/model"))) << "it was killed too late";
  const Outcome resumed = run_shell(killed + " --resume");
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(adapter("out"), adapter("whole"));
}

TEST_F(LoraProgram, BeginsTheSameOnAnyRanks) {
  FATHOM_NEEDS_MPIRUN();
  const Flags still = {{"optimizer.lr", "0"}, {"schedule.steps", "1"}};
  Flags experts = still;
  experts.emplace_back("parallel.expert", "2");
  ASSERT_EQ(run_shell(command("one", still)).exit_code, 0);
  ASSERT_EQ(run_shell(mpirun(2, command("data", still))).exit_code, 0);
  ASSERT_EQ(run_shell(mpirun(2, command("experts", experts))).exit_code, 0);
  EXPECT_EQ(adapter("data"), adapter("one"));
  EXPECT_EQ(adapter("experts"), adapter("one"));
  // And all say that they stand on the same weights.
  const auto base = [&](const char* out) {
    return read_json(run_.path(out) + "/step-00000001/trainer.json")["base"].get<std::string>();
  };
  EXPECT_EQ(base("data"), base("one"));
  EXPECT_EQ(base("experts"), base("one"));
}

class LoraOnRanks : public LoraProgram, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, LoraOnRanks, ::testing::Values("sft", "reward", "dpo"));

TEST_P(LoraOnRanks, TrainAsOne) {
  FATHOM_NEEDS_MPIRUN();
  const std::string task = GetParam();
  std::string pairs;
  for (int i = 0; i < 30; ++i)
    pairs +=
        Json{{"prompt", "q" + std::to_string(i)}, {"chosen", std::string(1 + i % 6, 'a')}, {"rejected", "zz"}}
            .dump() +
        "\n";
  Flags data = {{"data.train", task == "sft" ? run_.path("chat.jsonl") : run_.write("pairs.jsonl", pairs)}};
  const Outcome alone = run_shell(command("one", data, task));
  ASSERT_EQ(alone.exit_code, 0) << alone.err;
  const std::vector<double> one = losses("one");
  ASSERT_EQ(one.size(), 12u);
  for (const auto& [out, expert] : {std::pair("data", "1"), std::pair("experts", "2")}) {
    data.emplace_back("parallel.expert", expert);
    const Outcome run = run_shell(mpirun(2, command(out, data, task)));
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const std::vector<double> two = losses(out);
    ASSERT_EQ(two.size(), one.size());
    for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(two[i], one[i], 5e-4 * one[i]) << out << " " << i;
    // Stopped and gone on with on as many ranks: bit for bit.
    const std::string again = std::string(out) + "-again", command_again = command(again, data, task);
    ASSERT_EQ(run_shell(mpirun(2, command_again + " --run.stop_at 5")).exit_code, 0);
    const Outcome resumed = run_shell(mpirun(2, command_again + " --resume"));
    ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_EQ(adapter(again), adapter(out)) << out;
  }
}

// Logits of some tokens, as tools/check_peft.py wants them.
void write_logits(const std::string& model_folder, const std::string& adapter, const std::string& path) {
  Device device = Device::cpu(1);
  const Model model = load_model(device, model_folder, adapter, DType::f32);
  const Config& c = model.config;
  HostBatch host;
  constexpr int64_t N = 40;
  host.sequence_starts = {0, N};
  for (int32_t t = 0; t < N; ++t) host.tokens.push_back((5 * t * t + 3) % 250), host.positions.push_back(t);
  Arena memory("test", int64_t{64} << 20);
  Activations activations = allocate_activations(c, memory, DType::f32, Purpose::serving, host.size());
  Batch batch = allocate_batch(memory, host.size());
  upload_batch(device, c, host, batch);
  const Tensor logits = memory.allocate(DType::f32, {N, c.vocab_size});
  head_logits(device, model, model_forward(device, model, batch, activations), logits);
  write_safetensors(path,
                    std::vector<NamedTensor>{{"input_ids", Tensor(host.tokens.data(), DType::i32, {1, N})},
                                             {"logits", logits.reshape({1, N, c.vocab_size})}});
}

TEST_F(LoraProgram, WhatItTrainedLoadsInPeft) {
  FATHOM_NEEDS_PEER_PYTHON("torch, transformers, peft");
  const std::string model = model_for_peft();
  for (const char* precision : {"f32", "bf16"}) {
    const std::string out = precision;
    ASSERT_EQ(run_shell(command(out, {{"model.init_from", model}, {"run.precision", precision}})).exit_code,
              0);
    const std::string lora = run_.path(out) + "/model", logits = run_.path(out) + "/logits.safetensors";
    write_logits(model, lora, logits);
    const Outcome peer = run_peer("tools/check_peft.py " + model + " " + lora + " --logits " + logits);
    EXPECT_EQ(peer.exit_code, 0) << peer.out << peer.err;
    std::printf("%s", peer.out.c_str());
  }
}

// Scores of some answers, likewise.
void write_scores(const std::string& model_folder, const std::string& adapter, const std::string& path) {
  Device device = Device::cpu(1);
  RewardModel model(device, model_folder, adapter, DType::f32);
  std::vector<std::vector<int32_t>> texts;
  std::vector<int32_t> tokens, starts = {0};
  for (const char* answer : {"aaab", "zzb", "aa", "zzcccddd"}) {
    texts.push_back(model.encode(chat_row({{"prompt", "q"}, {"completion", answer}}, "t")));
    tokens.insert(tokens.end(), texts.back().begin(), texts.back().end());
    starts.push_back(static_cast<int32_t>(tokens.size()));
  }
  std::vector<float> scores;
  for (const double score : model.scores(texts)) scores.push_back(static_cast<float>(score));
  const auto count = [](const auto& values) { return static_cast<int64_t>(values.size()); };
  write_safetensors(
      path, std::vector<NamedTensor>{{"tokens", Tensor(tokens.data(), DType::i32, {count(tokens)})},
                                     {"starts", Tensor(starts.data(), DType::i32, {count(starts)})},
                                     {"scores", Tensor(scores.data(), DType::f32, {count(scores), 1})}});
}

TEST_F(LoraProgram, ARewardModelItTrainedLoadsInPeft) {
  FATHOM_NEEDS_PEER_PYTHON("torch, transformers, peft");
  std::string pairs;
  for (int i = 0; i < 30; ++i)
    pairs +=
        Json{{"prompt", "q" + std::to_string(i)}, {"chosen", std::string(1 + i % 6, 'a')}, {"rejected", "zz"}}
            .dump() +
        "\n";
  const std::string model = model_for_peft();
  const Flags flags = {{"model.init_from", model}, {"data.train", run_.write("pairs.jsonl", pairs)}};
  ASSERT_EQ(run_shell(command("rm", flags, "reward")).exit_code, 0);
  const std::string lora = run_.path("rm/model"), scores = run_.path("rm/scores.safetensors");
  write_scores(model, lora, scores);
  const Outcome peer = run_peer("tools/check_peft.py " + model + " " + lora + " --scores " + scores);
  EXPECT_EQ(peer.exit_code, 0) << peer.out << peer.err;
  std::printf("%s", peer.out.c_str());
}

}  // namespace
}  // namespace fathom
