// On the ranks of mpirun: experts that are spread over them compute what one process computes for all tokens
// that the ranks have together, forward and backward.
#include <chrono>
#include <set>
#include <thread>

#include "comm/ranks.h"
#include "model/expert_exchange.h"
#include "ops/dispatch.h"
#include "ops/expert_sort.h"
#include "support/compare.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"

namespace fathom::testing {
namespace {

// When an ObservedBackend passes on what it is asked.
enum class Timing { overlapped, at_once, late };

// Another communicator's collectives: rows of states are counted; each waited for at its start, or begun
// late.
class ObservedBackend : public CommBackend {
 public:
  ObservedBackend(Communicator inner, Timing timing, int64_t width)
      : inner_(std::move(inner)), timing_(timing), width_(width), pauses_(5, static_cast<uint64_t>(rank())) {}

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<CommBackend> split(int, int) override { return nullptr; }
  std::unique_ptr<Operation> start(const AllReduce& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const ReduceScatter& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const AllGather& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const Broadcast& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const Exchange& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const AllToAll& a) override {
    if (a.in.cols() == width_) states_sent_.push_back(a.in.rows());
    return pass_on(a);
  }
  // Rows of each exchange of states so far.
  const std::vector<int64_t>& states_sent() const { return states_sent_; }

 private:
  class PassedOn : public Operation {
   public:
    explicit PassedOn(Pending pending) : pending_(std::move(pending)) {}
    void wait() override { pending_.wait(); }
    void abandon() noexcept override {}

   private:
    Pending pending_;
  };

  template <class Collective>
  std::unique_ptr<Operation> pass_on(const Collective& a) {
    if (timing_ == Timing::late && pauses_.below(2) == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(pauses_.below(800)));
    Pending pending = inner_.start(a);
    if (timing_ == Timing::at_once) pending.wait();
    return std::make_unique<PassedOn>(std::move(pending));
  }

  Communicator inner_;
  Timing timing_;
  int64_t width_;
  Rng pauses_;
  std::vector<int64_t> states_sent_;
};

struct Case {
  Config config = v2_like();
  std::vector<std::vector<int>> lengths;  // of each rank's sequences
  Recompute recompute = {};
  bool deferred = false;       // weight gradients in a pass of their own
  double capacity_factor = 0;  // units of token dropping are then sequences, every third exempt
  bool replayed = false;       // the experts are given: rounding to bf16 would change them
};

HostBatch tokens_of(const Case& c, int rank) {
  HostBatch host = RandomBatch(c.config, c.lengths[static_cast<size_t>(rank)], 7 + rank).host();
  if (c.capacity_factor > 0)
    for (size_t i = 0; i + 1 < host.sequence_starts.size(); ++i) host.exempt.push_back((i + rank) % 3 == 0);
  return host;
}

HostBatch all_tokens(const Case& c) {
  HostBatch all = tokens_of(c, 0);
  const auto append = [](std::vector<int32_t>& to, const std::vector<int32_t>& from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  for (int r = 1; r < static_cast<int>(c.lengths.size()); ++r) {
    const HostBatch more = tokens_of(c, r);
    const int32_t before = all.sequence_starts.back();
    for (size_t i = 1; i < more.sequence_starts.size(); ++i)
      all.sequence_starts.push_back(before + more.sequence_starts[i]);
    append(all.tokens, more.tokens);
    append(all.positions, more.positions);
    append(all.exempt, more.exempt);
  }
  return all;
}

using Values = std::vector<double>;

// A forward and a backward pass of a model or a part of it. Token `first` of all is its first one; the loss
// is linear in the hidden states, by numbers that depend on the token only.
class Step {
 public:
  Step(Device& device, const Case& c, DType dtype, const HostBatch& host, int64_t first, int64_t all,
       const ModelPart& part = {}, ExpertExchange* exchange = nullptr, bool deferred = false)
      : device_(device),
        first_(first),
        model_(make_model(device, c.config, dtype, part)),
        memory_("a run", bytes(c, dtype, host.size(), part), device),
        grads_(c.config, memory_, dtype, part) {
    const DeferredActivationBytes bytes =
        deferred ? deferred_activation_bytes(c.config, dtype, host.size(), c.recompute, part)
                 : DeferredActivationBytes{.kept = activation_bytes(c.config, dtype, Purpose::training,
                                                                    host.size(), c.recompute, part)};
    kept_ = Arena("kept", bytes.kept, device);
    scratch_ = Arena("scratch", bytes.scratch, device);
    deferred_ = Arena("deferred", bytes.deferred, device);
    initialize_weights(device, c.config, model_.weights, 1, part);
    randomize_adapters(device, c.config, model_.weights, part);
    // The first pass writes them, with no tokens too; but the head's, whose loss is not of here.
    const Tensor head =
        c.config.tie_word_embeddings ? grads_.weights.embed_tokens.data : grads_.weights.head.data;
    for (const NamedWeight& w : gradients())
      fill(w.weight.data, [&](int64_t, int64_t) { return w.weight.data.data == head.data ? 0 : NAN; });
    batch_ = allocate_batch(memory_, host.size());
    upload_batch(device, c.config, host, batch_);
    batch_.step = {.tokens = all,
                   .choices = {},
                   .device_alpha = 0.04,
                   .communication_alpha = 0.03,
                   .capacity_factor = c.capacity_factor};
    lay_out_ = [=, this, config = c.config, recompute = c.recompute, size = host.size()] {
      for (Arena* arena : {&kept_, &scratch_, &deferred_}) arena->rewind(0);
      if (!deferred)
        a_ = allocate_activations(config, kept_, dtype, Purpose::training, size, recompute, part);
      else
        a_ = allocate_deferred_activations(config, kept_, scratch_, dtype, size, recompute, part);
      a_.exchange = exchange;
    };
    if (deferred)
      defer_ = [this, config = c.config, dtype, size = host.size()] {
        allocate_deferred_gradients(config, deferred_, dtype, size, a_);
      };
    if (c.replayed) replay(c.config);
    dhidden_ = memory_.allocate(dtype, {tokens(), c.config.hidden_size});
    fill(dhidden_,
         [&](int64_t n, int64_t i) { return Rng(3, static_cast<uint64_t>(n * 1000 + i)).normal(); });
  }

  void forward() {
    lay_out_();
    hidden = values(model_forward(device_, model_, batch_, a_));
  }
  void backward() {
    if (defer_) defer_();
    model_backward(device_, model_, batch_, a_, dhidden_, grads_, 3);
    if (defer_) model_backward_weight(device_, model_, batch_, a_, grads_);
  }

  int64_t tokens() const { return batch_.tokens.cols(); }
  Values values(const Tensor& t) const {
    Values all;
    if (t.count() == 0) return all;
    Staging staging(device_);
    const ConstTensor host = staging.read(t);
    for (int64_t r = 0; r < t.rows(); ++r)
      for (int64_t i = 0; i < t.cols(); ++i) all.push_back(element(host, r, i));
    return all;
  }
  Values balance_losses() const { return values(a_.balance_losses); }
  Values dx() const { return values(a_.gradients.stream); }
  // Experts of a layer's tokens, or nowhere.
  Values chosen(int64_t layer) {
    return values(drops() ? a_.layer(layer).moe.kept : a_.layer(layer).moe.ids);
  }
  std::vector<NamedWeight> gradients() const {
    return list_weights(model_.config, grads_.weights, model_.part);
  }

  Values hidden;

 private:
  static int64_t bytes(const Case& c, DType dtype, const BatchSize& size, const ModelPart& part) {
    return weight_bytes(c.config, stat_of(dtype), part) + size.tokens * (c.config.hidden_size * 8 + 400) +
           (1 << 14);
  }
  bool drops() const { return batch_.step.capacity_factor > 0; }

  void fill(const Tensor& t, const std::function<double(int64_t, int64_t)>& value) {
    if (!t || t.count() == 0) return;
    Staging(device_).write(t, [&](const Tensor& host) {
      with_dtype<double, float, bf16, int32_t>("fill", t.dtype, [&]<class T>(T) {
        for (int64_t r = 0; r < t.rows(); ++r)
          for (int64_t i = 0; i < t.cols(); ++i) host.row<T>(r)[i] = number<T>(value(first_ + r, i));
      });
    });
  }
  void replay(const Config& c) {
    given_.rows = memory_.allocate(DType::i32, {tokens()});
    fill(given_.rows.reshape({tokens(), 1}),
         [&](int64_t n, int64_t) { return static_cast<double>(n - first_); });
    for (int64_t l = 0; l < c.num_hidden_layers; ++l) {
      given_.given.push_back(
          c.is_moe_layer(l) ? memory_.allocate(DType::i32, {tokens(), c.num_experts_per_tok}) : Tensor());
      fill(given_.given.back(), [&](int64_t n, int64_t k) {
        return static_cast<double>((n * 5 + k * 3 + l) % c.n_routed_experts);
      });
    }
    batch_.replay = &given_;
  }

  Device& device_;
  int64_t first_;
  Model model_;
  Arena memory_;
  WeightGradients grads_;
  Batch batch_;
  Arena kept_, scratch_, deferred_;
  Activations a_;
  std::function<void()> lay_out_, defer_;  // of the activations, as for a new micro-batch
  ExpertReplay given_;
  Tensor dhidden_;
};

struct Where {
  std::string device;
  DType dtype;
};

std::vector<Where> everywhere() {
  std::vector<Where> all = {{"reference", DType::f64}, {"cpu", DType::f32}, {"cpu", DType::bf16}};
  if (gpus() > 0) all.insert(all.end(), {{"cuda", DType::f32}, {"cuda", DType::bf16}});
  return all;
}

class ExpertExchangeTest : public ::testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    const bool gpu = GetParam().device == "cuda";
    device_ = gpu ? device_of_rank(true) : std::make_unique<Device>(Device::named(GetParam().device, 1));
    if (!device_) GTEST_SKIP() << "needs a GPU for each rank";
    comm_ = std::make_unique<Communicator>(all_ranks(*device_, {}));
  }

  DType dtype() const { return GetParam().dtype; }
  int ranks() const { return comm_->size(); }
  int rank() const { return comm_->rank(); }
  // A chain of layers, with other orders of sums and, in bf16, a rounding more of what travels.
  void expect_close(const std::string& what, Values got, Values want) {
    ASSERT_EQ(got.size(), want.size()) << what;
    const auto n = static_cast<int64_t>(got.size());
    EXPECT_LE(relative_error(Tensor(got.data(), DType::f64, {n}), Tensor(want.data(), DType::f64, {n})),
              3 * tolerance(dtype()))
        << what;
  }
  Values sum_over_ranks(Values x) {
    comm_->host().run(AllReduce{.x = Tensor(x.data(), DType::f64, {static_cast<int64_t>(x.size())})});
    return x;
  }
  // This rank's share of what all have.
  static Values part_of(const Values& x, int64_t first, int64_t n, int64_t all) {
    const int64_t width = static_cast<int64_t>(x.size()) / all;
    return {x.begin() + first * width, x.begin() + (first + n) * width};
  }

  ModelPart part(const Config& c) const {
    const int64_t held = c.n_routed_experts / ranks();
    return {.first_expert = rank() * held, .experts_end = (rank() + 1) * held};
  }
  // All ranks' tokens before this rank's, and behind the last.
  std::pair<int64_t, int64_t> first_and_all(const Case& c) const {
    int64_t first = 0, all = 0;
    for (int r = 0; r < ranks(); ++r) {
      if (r == rank()) first = all;
      for (const int n : c.lengths[static_cast<size_t>(r)]) all += n;
    }
    return {first, all};
  }

  void expect_gradients(const Case& c, const Step& whole, const Step& mine) {
    const auto want = whole.gradients(), got = mine.gradients();
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); ++i) {
      if (!want[i].weight) continue;  // frozen
      Values of_all = whole.values(want[i].weight.data), of_this = mine.values(got[i].weight.data);
      if (want[i].weight.data.rank == 3)
        of_all = part_of(of_all, part(c.config).first_expert, c.config.n_routed_experts / ranks(),
                         c.config.n_routed_experts);
      else
        of_this = sum_over_ranks(of_this);
      expect_close(want[i].info.name, of_this, of_all);
    }
  }

  // Every token goes to each rank that has any of its experts, and to no other, once.
  void expect_sent(const Case& c, Step& mine, const std::vector<int64_t>& sent) {
    const int64_t K = c.config.num_experts_per_tok, held = c.config.n_routed_experts / ranks();
    std::vector<int64_t> want;
    for (int64_t layer = c.recompute.layers; layer < c.config.num_hidden_layers; ++layer) {
      if (!c.config.is_moe_layer(layer)) continue;
      const Values chosen = mine.chosen(layer);
      int64_t rows = 0;
      for (int64_t n = 0; n < mine.tokens(); ++n) {
        std::set<int64_t> to;
        for (int64_t k = 0; k < K; ++k)
          if (const auto id = static_cast<int64_t>(chosen[n * K + k]); id != ExpertSort::nowhere)
            to.insert(id / held);
        const bool limited = !c.replayed && ranks() == c.config.n_group;
        EXPECT_LE(static_cast<int64_t>(to.size()), limited ? c.config.topk_group : K);
        rows += static_cast<int64_t>(to.size());
      }
      want.push_back(rows);
    }
    std::vector<int64_t> got;  // there, and back
    for (size_t i = 0; i < sent.size(); i += 2) got.push_back(sent[i]);
    EXPECT_EQ(std::vector<int64_t>(got.end() - static_cast<int64_t>(want.size()), got.end()), want);
  }

  struct Shares {
    std::unique_ptr<Communicator> comm;
    ObservedBackend* observed;
    std::unique_ptr<ExpertExchange> exchange;
    std::unique_ptr<Step> run;
  };
  // This rank's.
  Shares share(const Case& c, Timing timing) {
    Shares s;
    Communicator inner = all_ranks(*device_, {});
    auto host = device_->on_host() ? nullptr : std::make_unique<Communicator>(std::move(inner.host()));
    auto observed = std::make_unique<ObservedBackend>(std::move(inner), timing, c.config.hidden_size);
    s.observed = observed.get();
    s.comm = std::make_unique<Communicator>(std::move(observed), std::move(host));
    s.exchange = std::make_unique<ExpertExchange>(c.config, part(c.config), *device_, *s.comm);
    const auto [first, all] = first_and_all(c);
    s.run = std::make_unique<Step>(*device_, c, dtype(), tokens_of(c, rank()), first, all, part(c.config),
                                   s.exchange.get(), c.deferred);
    return s;
  }

  void expect_as_one_process(Case c) {
    c.replayed = c.replayed || dtype() == DType::bf16;
    const auto [first, all] = first_and_all(c);
    Step whole(*device_, c, dtype(), all_tokens(c), 0, all);
    whole.forward();
    whole.backward();
    const Shares s = share(c, Timing::overlapped);
    Step& mine = *s.run;
    for (int step = 0; step < 2; ++step) {  // the second adds to the gradients of the first
      mine.forward();
      expect_close("hidden", mine.hidden, part_of(whole.hidden, first, mine.tokens(), all));
      expect_close("balance losses", sum_over_ranks(mine.balance_losses()), whole.balance_losses());
      if (step == 0) expect_sent(c, mine, s.observed->states_sent());
      if (step == 1) whole.forward(), whole.backward();
      mine.backward();
      expect_close("dx", mine.dx(), part_of(whole.dx(), first, mine.tokens(), all));
      expect_gradients(c, whole, mine);
      EXPECT_EQ(s.exchange->memory.used(), 0);
    }
  }

  // Rank r has r sequences: the first none.
  std::vector<std::vector<int>> uneven() const {
    std::vector<std::vector<int>> lengths;
    for (int r = 0; r < ranks(); ++r) {
      lengths.emplace_back();
      for (int i = 0; i < r; ++i) lengths.back().push_back(5 + (r * 3 + i) % 4);
    }
    return lengths;
  }
  // Sequences of one length, as units of token dropping must be; the last rank has none.
  std::vector<std::vector<int>> units() const {
    std::vector<std::vector<int>> lengths;
    for (int r = 0; r < ranks(); ++r) lengths.emplace_back(ranks() - 1 - r, 6);
    return lengths;
  }

  std::unique_ptr<Device> device_;
  std::unique_ptr<Communicator> comm_;
};
INSTANTIATE_TEST_SUITE_P(On, ExpertExchangeTest, ::testing::ValuesIn(everywhere()), [](const auto& info) {
  return info.param.device + "_" + std::string(name_of(info.param.dtype));
});

TEST_P(ExpertExchangeTest, ComputesWhatOneProcessDoes) {
  expect_as_one_process({.config = v2_like(), .lengths = uneven()});
  Config c = lite_like();  // without shared experts
  c.seq_aux = true;        // else its balance loss is over the step, whose counts are another matter
  expect_as_one_process({.config = c, .lengths = uneven()});
}

TEST_P(ExpertExchangeTest, WithAdapters) {
  for (const bool deferred : {false, true})
    expect_as_one_process({.config = with_lora(v2_like()), .lengths = uneven(), .deferred = deferred});
}

TEST_P(ExpertExchangeTest, WithDroppedChoices) {
  if (dtype() == DType::bf16) GTEST_SKIP() << "rounding to bf16 changes which choices are dropped";
  expect_as_one_process({.config = v2_like(), .lengths = units(), .capacity_factor = 0.6});
}

// Tokens go to the ranks of the experts that are given, and back.
TEST_P(ExpertExchangeTest, WithGivenExperts) {
  Config normalized = v2_like();
  normalized.norm_topk_prob = true;
  for (const Config& config : {v2_like(), normalized}) {
    expect_as_one_process({.config = config, .lengths = uneven(), .replayed = true});
    expect_as_one_process(
        {.config = config, .lengths = uneven(), .recompute = {.layers = 2}, .replayed = true});
    expect_as_one_process({.config = config, .lengths = uneven(), .deferred = true, .replayed = true});
  }
  if (dtype() != DType::bf16)
    expect_as_one_process(
        {.config = v2_like(), .lengths = units(), .capacity_factor = 0.6, .replayed = true});
}

TEST_P(ExpertExchangeTest, WithRecomputation) {
  Recompute parts;
  parts.set_parts("test", {"norms", "swiglu", "dispatch"});
  Recompute layers = parts;
  layers.layers = 2;
  for (const Recompute& recompute : {Recompute{.layers = 3}, parts, layers})
    expect_as_one_process({.config = v2_like(), .lengths = units(), .recompute = recompute});
}

TEST_P(ExpertExchangeTest, WithWeightGradientsDeferred) {
  Recompute parts;
  parts.set_parts("test", {"norms", "swiglu", "dispatch"});
  for (const Recompute& recompute : {Recompute{}, parts, Recompute{.layers = 2}})
    expect_as_one_process(
        {.config = v2_like(), .lengths = uneven(), .recompute = recompute, .deferred = true});
}

TEST_P(ExpertExchangeTest, OverlapAndDelaysChangeNoBit) {
  const Case c = {.config = v2_like(), .lengths = uneven()};
  std::vector<Values> results;
  for (const Timing timing : {Timing::overlapped, Timing::at_once, Timing::late}) {
    const Shares s = share(c, timing);
    s.run->forward();
    s.run->backward();
    Values all = s.run->hidden;
    for (const NamedWeight& w : s.run->gradients()) {
      const Values more = s.run->values(w.weight.data);
      all.insert(all.end(), more.begin(), more.end());
    }
    results.push_back(all);
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_P(ExpertExchangeTest, RefusesExpertsThatAreNotSpreadEvenly) {
  Config c = v2_like();
  ModelPart held = part(c);
  held.first_expert = rank() == 0 ? 1 : 0;
  EXPECT_NE(error_of([&] { ExpertExchange(c, held, *device_, *comm_); }).find(" holds experts "),
            std::string::npos);
  c.n_routed_experts = 2 * ranks() + 1;
  EXPECT_NE(error_of([&] { ExpertExchange(c, part(c), *device_, *comm_); }).find("cannot be split evenly"),
            std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
