// A model in stages on several ranks: whatever the schedule, the number of micro-batches, what is recomputed
// and how late ranks are, losses and gradients are bit for bit those of one process, which every rank
// computes for itself.
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <thread>

#include "comm/ranks.h"
#include "model/head.h"
#include "ops/cross_entropy.h"
#include "support/small_model.h"
#include "train/parallel_plan.h"
#include "train/pipeline_stage.h"
#include "model/token_loss.h"

namespace fathom::testing {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(Staging& staging, const Tensor& t) {
  const ConstTensor host = staging.read(t);
  const auto* data = static_cast<const std::byte*>(host.data);
  return {data, data + host.bytes()};
}
Bytes bytes_of(const Device& device, const Tensor& t) {
  Staging staging(device);
  return bytes_of(staging, t);
}

void poison(const Device& device, const Tensor& t) {
  Staging(device).write(t, [](const Tensor& host) {
    std::memset(host.data, 0xff, static_cast<size_t>(host.bytes()));  // NaN
  });
}

// More layers than stages: some have MoE layers only, the first one a dense layer.
Config five_layers() {
  Config c = v2_like();
  c.num_hidden_layers = 5;
  return c;
}

// The last micro-batch is smaller. A token here and there has no target; each micro-batch is a unit of
// dropping.
std::vector<PackedBatch> random_step(const Config& c, int micro_batches) {
  std::vector<PackedBatch> all(static_cast<size_t>(micro_batches));
  for (int m = 0; m < micro_batches; ++m) {
    const std::vector<int> lengths = m + 1 < micro_batches || m == 0 ? std::vector{5, 1, 4} : std::vector{3};
    PackedBatch& packed = all[static_cast<size_t>(m)];
    packed.batch = RandomBatch(c, lengths, 7 + static_cast<uint64_t>(m)).host();
    packed.batch.exempt = {m % 3 == 2};
    packed.targets = packed.batch.tokens;
    packed.targets[static_cast<size_t>(m) % packed.targets.size()] = CrossEntropy::ignore;
  }
  return all;
}

// What a step makes beside gradients: of each micro-batch the losses of its tokens and its balance losses,
// and the experts' counts of all.
struct Totals {
  Totals(const Device& device, const Config& c) : device(device), staging(device, 1 << 20) {
    const int64_t L = c.num_hidden_layers, E = c.n_routed_experts, D = c.expert_groups();
    memory = Arena("counts", 4 * L * (E + D + 1) + 512, device);
    choices = {.experts = memory.allocate(DType::i32, {L, E}),
               .groups = memory.allocate(DType::i32, {L, D}),
               .dropped = memory.allocate(DType::i32, {L})};
    for (const Tensor& t : {choices.experts, choices.groups, choices.dropped}) clear(device, t);
  }
  void add(const Tensor& micro_batch_losses, const Tensor& balance_losses) {
    if (micro_batch_losses) losses.push_back(bytes_of(staging, micro_batch_losses));
    if (!balance_losses) return;
    const ConstTensor host = staging.read(balance_losses);
    for (int64_t i = 0; i < 3; ++i)
      balance[i] +=
          host.dtype == DType::f64 ? host.as<double>()[i] : static_cast<double>(host.as<float>()[i]);
  }

  const Device& device;
  Staging staging;  // read from while messages are under way
  Arena memory;
  ChoiceCounts choices;
  std::vector<Bytes> losses;
  double balance[3] = {};
};

// A model, or a part of it, with gradients.
struct Trained {
  Trained(Device& device, const Config& c, DType dtype, const ModelPart& part = {})
      : device(device),
        model(make_model(device, c, dtype, part)),
        memory("gradients", weight_bytes(c, stat_of(dtype), part), device),
        grads(c, memory, dtype, part) {
    initialize_weights(device, c, model.weights, 1, part);
    forget();
  }
  void forget() {
    for (const NamedWeight& w : list()) poison(device, w.weight.data);
  }
  std::vector<NamedWeight> list() const { return list_weights(model.config, grads.weights, model.part); }
  std::map<std::string, Bytes> gradients() const {
    std::map<std::string, Bytes> all;
    for (const NamedWeight& w : list()) all[w.info.name] = bytes_of(device, w.weight.data);
    return all;
  }

  Device& device;
  Model model;
  Arena memory;
  WeightGradients grads;
};

constexpr double loss_scale = 0.05;

// One process, micro-batch after micro-batch.
class Alone {
 public:
  Alone(Device& device, const Config& c, DType dtype) : trained_(device, c, dtype) {}

  void step(const std::vector<PackedBatch>& micro_batches, const TrainingStep& step, Totals& totals) {
    trained_.grads.accumulate = false;
    for (const PackedBatch& packed : micro_batches) {
      InMemory m(trained_, packed, step);
      if (!step.choices.experts) m.activations.choices = totals.choices;
      const Tensor hidden = model_forward(device(), trained_.model, m.batch, m.activations);
      head_backward(device(), trained_.model, hidden, m.memory, loss(m, loss_scale), m.dhidden,
                    trained_.grads);
      model_backward(device(), trained_.model, m.batch, m.activations, m.dhidden, trained_.grads);
      totals.add(m.losses, m.activations.balance_losses);
    }
  }
  void losses(const std::vector<PackedBatch>& micro_batches, Totals& totals) {
    for (const PackedBatch& packed : micro_batches) {
      InMemory m(trained_, packed, {});
      const Tensor hidden = model_forward(device(), trained_.model, m.batch, m.activations);
      head_forward(device(), trained_.model, hidden, m.memory, loss(m, 1));
      totals.add(m.losses, {});
    }
  }
  void count(const std::vector<PackedBatch>& micro_batches, const TrainingStep& step, Totals& totals) {
    for (const PackedBatch& packed : micro_batches) {
      InMemory m(trained_, packed, step);
      m.activations.choices = totals.choices;
      model_forward(device(), trained_.model, m.batch, m.activations);
      synchronize(device());
    }
  }
  std::map<std::string, Bytes> gradients() const { return trained_.gradients(); }

 private:
  struct InMemory {
    InMemory(const Trained& t, const PackedBatch& packed, const TrainingStep& step) {
      const Config& c = t.model.config;
      const DType dtype = t.model.dtype;
      const BatchSize size = packed.batch.size();
      const int64_t N = size.tokens;
      memory = Arena("a micro-batch",
                     activation_bytes(c, dtype, Purpose::training, size) +
                         head_bytes(c, dtype, N, t.device.on_host()) + N * c.hidden_size * 8 + 64 * N + 4096,
                     t.device);
      batch = allocate_batch(memory, size);
      upload_batch(t.device, c, packed.batch, batch);
      batch.step = step;
      targets = memory.allocate(DType::i32, {N});
      upload(t.device, targets, ConstTensor(packed.targets.data(), DType::i32, {N}));
      dhidden = memory.allocate(dtype, {N, c.hidden_size});
      losses = memory.allocate(stat_of(dtype), {N});
      activations = allocate_activations(c, memory, dtype, Purpose::training, size);
    }
    Arena memory;
    Batch batch;
    Tensor targets, dhidden, losses;
    Activations activations;
  };

  Device& device() { return trained_.device; }
  LossFunction loss(const InMemory& m, double scale) {
    return token_loss(device(), m.targets, {}, m.losses, scale);
  }

  Trained trained_;
};

struct Where {
  std::string name;
  DType dtype;
  bool gpu = false;
  bool reference = false;
};

class PipelineTest : public ::testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    if (GetParam().gpu) FATHOM_NEEDS_GPU();
    device_ =
        GetParam().reference ? std::make_unique<Device>(Device::reference()) : device_of_rank(GetParam().gpu);
    if (!device_)
      GTEST_SKIP() << "needs a GPU for each rank, and a build with NCCL: mpirun pipeline_ranks_test, there";
    pipeline_ = std::make_unique<Communicator>(all_ranks(*device_, {}));
    pauses_ = Rng(5, static_cast<uint64_t>(pipeline().rank()));
  }

  Device& device() { return *device_; }
  DType dtype() const { return GetParam().dtype; }
  Communicator& pipeline() { return *pipeline_; }
  ModelPart part(const Config& c) {
    return parallel_plan(c, pipeline().size(), pipeline().size(), 1).part_of(pipeline().rank(), c);
  }
  bool last() { return pipeline().rank() + 1 == pipeline().size(); }

  static PipelineStage::Settings settings(ScheduleKind schedule, const std::vector<PackedBatch>& step,
                                          const Recompute& recompute = {}) {
    return {.schedule = schedule,
            .largest = step[0].batch.size(),
            .micro_batches = static_cast<int>(step.size()),
            .recompute = recompute};
  }

  // Ranks that come late, at random.
  std::function<void(const PipelineTask&)> pauses() {
    return [this](const PipelineTask&) {
      if (pauses_.below(5) == 0) std::this_thread::sleep_for(std::chrono::microseconds(pauses_.below(3000)));
    };
  }

  PipelineStep step_of(const std::vector<PackedBatch>& micro_batches, const TrainingStep& step,
                       Totals& totals) {
    return {.micro_batches = micro_batches,
            .step = step,
            .loss_scale = loss_scale,
            .choices = totals.choices,
            .add = [&totals](const Tensor& losses, const Tensor& balance) { totals.add(losses, balance); },
            .watch = pauses()};
  }

  // The rows of this stage's layers are those of one process.
  void expect_same_choices(const Config& c, const Totals& got, const Totals& want) {
    const ModelPart mine = part(c);
    const auto same = [&](const Tensor& a, const Tensor& b, const char* what) {
      const int64_t first = mine.first_layer, n = mine.layers(c);
      EXPECT_TRUE(bytes_of(device(), a.slice(first, n)) == bytes_of(device(), b.slice(first, n))) << what;
    };
    same(got.choices.experts, want.choices.experts, "experts");
    same(got.choices.groups, want.choices.groups, "groups");
    same(got.choices.dropped, want.choices.dropped, "dropped");
  }
  // The losses are the last stage's.
  void expect_same_losses(const Totals& got, const Totals& want) {
    EXPECT_TRUE(got.losses == (last() ? want.losses : std::vector<Bytes>()));
  }
  // Each stage adds up its own layers; the sum over them rounds otherwise.
  void expect_close_balance(const Totals& got, const Totals& want) {
    std::vector<double> sums(got.balance, got.balance + 3);
    pipeline().host().run(AllReduce{.x = Tensor(sums.data(), DType::f64, {3})});
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(sums[i], want.balance[i], 1e-5 * want.balance[i]) << i;
  }
  void expect_same_gradients(const Trained& got, const std::map<std::string, Bytes>& want) {
    for (const auto& [name, bytes] : got.gradients()) EXPECT_TRUE(bytes == want.at(name)) << name;
  }

  void expect_the_same(const Config& c, ScheduleKind schedule, const Recompute& recompute,
                       const std::vector<int>& steps, TrainingStep training = {}) {
    const int most = *std::max_element(steps.begin(), steps.end());
    Alone alone(device(), c, dtype());
    Trained trained(device(), c, dtype(), part(c));
    PipelineStage stage(device(), trained.model, trained.grads, pipeline(),
                        settings(schedule, random_step(c, most), recompute));
    for (const int micro_batches : steps) {
      SCOPED_TRACE(std::string(name_of(schedule)) + ", " + std::to_string(micro_batches) + " micro-batches");
      const std::vector<PackedBatch> step = random_step(c, micro_batches);
      training.tokens = 0;
      for (const PackedBatch& packed : step) training.tokens += packed.batch.size().tokens;
      Totals got(device(), c), want(device(), c);
      trained.forget();
      stage.step(step_of(step, training, got));
      alone.step(step, training, want);
      synchronize(device());
      expect_same_gradients(trained, alone.gradients());
      expect_same_losses(got, want);
      expect_close_balance(got, want);
      expect_same_choices(c, got, want);
    }
  }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Communicator> pipeline_;
  Rng pauses_{5};
};
INSTANTIATE_TEST_SUITE_P(On, PipelineTest,
                         ::testing::Values(Where{"reference_f64", DType::f64, false, true},
                                           Where{"cpu_f32", DType::f32}, Where{"cpu_bf16", DType::bf16},
                                           Where{"cuda_f32", DType::f32, true},
                                           Where{"cuda_bf16", DType::bf16, true}),
                         [](const auto& info) { return info.param.name; });

Recompute all_parts(int64_t layers = 0) {
  Recompute recompute{.layers = layers};
  recompute.set_parts("test", {"norms", "swiglu", "up_projections", "attention", "dispatch"});
  return recompute;
}

// One step after another, also of fewer micro-batches than there are stages.
TEST_P(PipelineTest, StepsAreThoseOfOneProcess) {
  for (const ScheduleKind schedule : schedule_kinds)
    expect_the_same(five_layers(), schedule, {}, {1, 2, 3, 8, 4, 5});
}
TEST_P(PipelineTest, WhateverIsRecomputed) {
  for (const ScheduleKind schedule : schedule_kinds)
    for (const Recompute& recompute : {all_parts(), all_parts(2), Recompute{.layers = 5}})
      expect_the_same(five_layers(), schedule, recompute, {6});
}
TEST_P(PipelineTest, WithBalanceLossesAndDropping) {
  const TrainingStep training = {
      .choices = {}, .device_alpha = 0.05, .communication_alpha = 0.02, .capacity_factor = 1};
  expect_the_same(five_layers(), ScheduleKind::zb_h1, {}, {6}, training);
}
TEST_P(PipelineTest, WithoutExpertsOrAQueryLatent) {
  Config dense = lite_like();
  dense.num_hidden_layers = dense.first_k_dense_replace = 4, dense.tie_word_embeddings = false;
  expect_the_same(dense, ScheduleKind::zb_2p, {}, {7});
}

// Balanced over the whole step, whose choices must be known first; and the losses alone.
TEST_P(PipelineTest, ForwardPassesAlone) {
  Config c = five_layers();
  c.seq_aux = false;
  const std::vector<PackedBatch> step = random_step(c, 5);
  Alone alone(device(), c, dtype());
  Trained trained(device(), c, dtype(), part(c));
  PipelineStage stage(device(), trained.model, trained.grads, pipeline(),
                      settings(ScheduleKind::zb_h1, step));

  Totals got(device(), c), want(device(), c);
  stage.count_choices(step_of(step, {}, got));
  alone.count(step, {}, want);
  expect_same_choices(c, got, want);
  EXPECT_TRUE(got.losses.empty());

  Totals got_step(device(), c), want_step(device(), c);
  stage.step(step_of(step, {.tokens = 43, .choices = got.choices}, got_step));
  alone.step(step, {.tokens = 43, .choices = want.choices}, want_step);
  expect_same_gradients(trained, alone.gradients());
  expect_same_losses(got_step, want_step);
  expect_close_balance(got_step, want_step);
  expect_same_choices(c, got_step, Totals(device(), c));

  Totals got_losses(device(), c), want_losses(device(), c);
  stage.add_losses(step_of(step, {}, got_losses));
  alone.losses(step, want_losses);
  expect_same_losses(got_losses, want_losses);
}

TEST_P(PipelineTest, MemoryDoesNotGrowWithMicroBatches) {
  if (GetParam().reference) GTEST_SKIP() << "the same sizes as others'";
  const Config c = five_layers();
  Trained trained(device(), c, dtype(), part(c));
  const int stages = pipeline().size(), rank = pipeline().rank();
  for (const ScheduleKind schedule : schedule_kinds) {
    std::map<int, int64_t> bytes;
    for (const int micro_batches : {4, 8, 32}) {
      const std::vector<PackedBatch> step = random_step(c, micro_batches);
      const PipelineStage::Settings s = settings(schedule, step, all_parts());
      PipelineStage stage(device(), trained.model, trained.grads, pipeline(), s);
      const int64_t before = stage.memory().bytes();
      Totals totals(device(), c);
      stage.step(step_of(step, {}, totals));
      EXPECT_EQ(stage.memory().bytes(), before);
      EXPECT_EQ(before, pipeline_stage_bytes(c, part(c), rank, stages, dtype(), device().on_host(), s));
      bytes[micro_batches] = before;
      EXPECT_LE(stage.memory().micro_batches(), schedule == ScheduleKind::zb_2p ? 2 * stages : stages);
      if (schedule == ScheduleKind::one_f_one_b) {
        EXPECT_EQ(stage.memory().micro_batches(), std::min(stages - rank, micro_batches));
      }
    }
    EXPECT_LE(bytes[4], bytes[8]) << name_of(schedule);
    EXPECT_LE(bytes[8], bytes[32]) << name_of(schedule);
    if (schedule != ScheduleKind::zb_2p) {  // whose twice as many stages 8 micro-batches do not fill yet
      EXPECT_EQ(bytes[8], bytes[32]) << name_of(schedule);
    }
  }
}

TEST_P(PipelineTest, PassesAreTimed) {
  const Config c = five_layers();
  const std::vector<PackedBatch> step = random_step(c, 4);
  Trained trained(device(), c, dtype(), part(c));
  PipelineStage stage(device(), trained.model, trained.grads, pipeline(),
                      settings(ScheduleKind::zb_h1, step));
  Totals totals(device(), c);
  const auto begin = std::chrono::steady_clock::now();
  stage.step(step_of(step, {}, totals));
  synchronize(device());
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  const std::vector<PipelineTimeline::Slot> passes = stage.passes();
  ASSERT_EQ(passes.size(), 12u);
  EXPECT_EQ(passes[0].begin, 0);
  for (size_t i = 0; i < passes.size(); ++i) {
    EXPECT_GT(passes[i].end, passes[i].begin);
    EXPECT_GE(passes[i].begin, i > 0 ? passes[i - 1].end : 0);
  }
  EXPECT_LT(passes.back().end, wall.count());
  const PassTimes t = stage.pass_times();
  const double sum = std::accumulate(passes.begin(), passes.end(), 0.0,
                                     [](double x, const auto& slot) { return x + slot.end - slot.begin; });
  EXPECT_NEAR(4 * (t.forward + t.input_gradient + t.weight_gradient), sum, 1e-9);
}

TEST_P(PipelineTest, StagesOutOfOrderAreRefused) {
  const Config c = five_layers();
  Trained whole(device(), c, dtype());
  try {
    PipelineStage stage(device(), whole.model, whole.grads, pipeline(),
                        settings(ScheduleKind::zb_h1, random_step(c, 1)));
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("holds layers 0 to 4 of 5"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace fathom::testing
