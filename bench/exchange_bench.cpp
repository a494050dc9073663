// An MoE layer, forward and backward, with its experts on the ranks of mpirun: how long ranks wait for tokens
// that travel, at once or beside the experts' work, and what the layer takes.
//   mpirun -n 4 exchange_bench CONFIG [f32|bf16] [tokens of a rank] [device, "cuda" is a GPU for each rank]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/rng.h"
#include "bench/ranks_time.h"
#include "comm/world.h"
#include "model/expert_exchange.h"
#include "model/model_steps.h"
#include "model/moe.h"
#include "ops/fill_normal.h"

namespace fathom::bench {
namespace {

// Adds the time of its life.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& seconds_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// What becomes of the states' all-to-all: waited for where it is started, waited for where its result is
// read, or left out.
enum class Travel { at_once, beside, none };

// Another communicator; tensors of `width` columns, the states, travel as is said.
class SwitchedBackend : public CommBackend {
 public:
  SwitchedBackend(Communicator inner, int64_t width) : inner_(std::move(inner)), width_(width) {}
  Travel travel = Travel::beside;
  double seconds = 0;  // that the host spent on starting and waiting for states

  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::unique_ptr<CommBackend> split(int, int) override { fail("not of this bench"); }
  std::unique_ptr<Operation> start(const AllReduce& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const ReduceScatter& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const AllGather& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const Broadcast& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const Exchange& a) override { return pass_on(a); }
  std::unique_ptr<Operation> start(const AllToAll& a) override {
    if (a.in.cols() != width_) return pass_on(a);
    if (travel == Travel::none) return nullptr;
    const Stopwatch stopwatch(seconds);
    Pending pending = inner_.start(a);
    if (travel == Travel::at_once) pending.wait();
    return std::make_unique<PassedOn>(std::move(pending), &seconds);
  }

 private:
  class PassedOn : public Operation {
   public:
    explicit PassedOn(Pending pending, double* seconds = nullptr)
        : pending_(std::move(pending)), seconds_(seconds) {}
    void wait() override {
      double other = 0;
      const Stopwatch stopwatch(seconds_ ? *seconds_ : other);
      pending_.wait();
    }
    void abandon() noexcept override {}

   private:
    Pending pending_;
    double* seconds_;
  };
  template <class Collective>
  std::unique_ptr<Operation> pass_on(const Collective& a) {
    return std::make_unique<PassedOn>(inner_.start(a));
  }

  Communicator inner_;
  int64_t width_;
};

// One MoE layer of the config.
Config layer_of(const std::string& path) {
  Config c = read_config(path);
  c.num_hidden_layers = 1, c.first_k_dense_replace = 0, c.vocab_size = 64;
  return c;
}

class Layer {
 public:
  Layer(Device& device, const Config& c, DType dtype, int64_t tokens, const ModelPart& part,
        ExpertExchange& exchange, uint64_t rank)
      : device_(device),
        model_(make_model(device, c, dtype, part)),
        memory_("the layer",
                activation_bytes(c, dtype, Purpose::training, {tokens, 1, tokens}, {}, part) +
                    weight_bytes(c, stat_of(dtype), part) + 4 * tokens * c.hidden_size * 8 + 64 * tokens +
                    (1 << 20),
                device),
        grads_(c, memory_, dtype, part) {
    initialize_weights(device, c, model_.weights, 1, part);
    const BatchSize size{tokens, 1, tokens};
    HostBatch host;
    host.tokens.assign(tokens, 0), host.positions.assign(tokens, 0);
    host.sequence_starts = {0, static_cast<int32_t>(tokens)};
    batch_ = allocate_batch(memory_, size);
    upload_batch(device, c, host, batch_);
    a_ = allocate_activations(c, memory_, dtype, Purpose::training, size, {}, part);
    a_.exchange = &exchange;
    for (Tensor* t : {&x_, &out_, &dout_, &dx_}) *t = memory_.allocate(dtype, {tokens, c.hidden_size});
    for (const Tensor& t : {x_, dout_}) fill_normal(device, {.out = t, .seed = rank + 1});
  }
  void run() {
    Pass pass = forward_pass(device_, model_, batch_, a_);
    a_.exchange->memory.rewind(0);
    clear(device_, a_.balance_losses);
    moe_forward(pass, weights(model_.weights), a_.layer(0).moe, 0, x_, out_);
    moe_backward(pass, weights(model_.weights), weights(grads_.weights), a_.layer(0).moe, a_.gradients, x_,
                 dout_, dx_);
  }
  const SentTokens& sent() { return a_.layer(0).moe.sent; }

 private:
  static MoeWeights& weights(Weights& w) { return w.layers[0].moe; }

  Device& device_;
  Model model_;
  Arena memory_;
  WeightGradients grads_;
  Batch batch_;
  Activations a_;
  Tensor x_, out_, dout_, dx_;
};

// The four exchanges of states in a step, alone.
double seconds_of_travel(Communicator& comm, const Device& device, const SentTokens& s, DType dtype,
                         int64_t width) {
  int64_t sent = 0, received = 0;
  for (size_t r = 0; r < s.to.size(); ++r) sent += s.to[r], received += s.from[r];
  Arena memory("states", (sent + received) * width * size_of(dtype) + 128, device);
  const Tensor here = memory.allocate(dtype, {sent, width}),
               there = memory.allocate(dtype, {received, width});
  clear(device, here), clear(device, there);
  return median_of_slowest(comm, device, [&] {
    for (int i = 0; i < 2; ++i) {
      comm.run(AllToAll{.out = there, .out_rows = s.from, .in = here, .in_rows = s.to});
      comm.run(AllToAll{.out = here, .out_rows = s.to, .in = there, .in_rows = s.from});
    }
  });
}

void run(World& world, const std::string& path, DType dtype, int64_t tokens, std::string name) {
  if (name == "cuda") name += ":" + std::to_string(world.rank_on_host());
  Device device = Device::named(name);
  const Config c = layer_of(path);
  Communicator comm = world.communicator(device), inner = world.communicator(device);
  auto host = device.on_host() ? nullptr : std::make_unique<Communicator>(std::move(inner.host()));
  auto backend = std::make_unique<SwitchedBackend>(std::move(inner), c.hidden_size);
  SwitchedBackend& backend_switch = *backend;
  Communicator experts(std::move(backend), std::move(host));
  const int64_t held = c.n_routed_experts / comm.size();
  const ModelPart part = {.first_expert = comm.rank() * held, .experts_end = (comm.rank() + 1) * held};
  ExpertExchange exchange(c, part, device, experts);
  Layer layer(device, c, dtype, tokens, part, exchange, static_cast<uint64_t>(comm.rank()));

  // In turns, so that a machine that slows down slows all.
  std::map<Travel, std::vector<double>> times, waits;
  for (int i = 0; i < 21; ++i)
    for (const Travel travel : {Travel::at_once, Travel::beside, Travel::none}) {
      backend_switch.travel = travel, backend_switch.seconds = 0;
      const double time = seconds_of_slowest(comm, device, [&] { layer.run(); });
      double waited = backend_switch.seconds / comm.size();
      comm.host().run(AllReduce{.x = Tensor(&waited, DType::f64, {1})});
      if (i > 0) times[travel].push_back(time), waits[travel].push_back(waited);
    }
  const double alone = seconds_of_travel(comm, device, layer.sent(), dtype, c.hidden_size);
  int64_t others = 0;  // rows that leave this rank
  for (int r = 0; r < comm.size(); ++r) others += r == comm.rank() ? 0 : layer.sent().to[r];
  double bytes = 4.0 * static_cast<double>(others * c.hidden_size * size_of(dtype));
  comm.host().run(AllReduce{.x = Tensor(&bytes, DType::f64, {1}), .reduction = Reduction::max});
  if (comm.rank() > 0) return;
  fmt::print("{} ranks, {}, {} threads each: {} tokens of a rank, {}\n", comm.size(), device.name(),
             device.threads(), tokens, name_of(dtype));
  fmt::print("states' travel alone {:.2f} ms, {:.2f} MB that leave a rank, {:.2f} GB/s\n", alone * 1e3,
             bytes * 1e-6, bytes / alone * 1e-9);
  fmt::print("{:<32}{:>24}{:>24}\n", "ms", "forward and backward", "of it for the states");
  for (const auto& [travel, name] : {std::pair(Travel::at_once, "states waited for at once"),
                                     {Travel::beside, "beside the experts' work"},
                                     {Travel::none, "states that do not travel"}})
    fmt::print("{:<32}{:>24.2f}{:>24.2f}\n", name, median(times[travel]) * 1e3, median(waits[travel]) * 1e3);
  fmt::print("hidden of what ranks wait at once: {:.0f} %\n",
             100 * (1 - median(waits[Travel::beside]) / median(waits[Travel::at_once])));
}

}  // namespace
}  // namespace fathom::bench

int main(int argc, char** argv) {
  std::optional<fathom::World> world;
  try {
    world.emplace();
    world->check_ranks();
    const auto argument = [&](int i, const char* other) { return std::string(argc > i ? argv[i] : other); };
    fathom::check(argc > 1 && world->size() > 1,
                  "mpirun -n RANKS exchange_bench CONFIG [f32|bf16] [tokens] [device]");
    fathom::bench::run(*world, argv[1], fathom::dtype_named(argument(2, "bf16")),
                       std::atoll(argument(3, "4096").c_str()), argument(4, "cpu"));
    return 0;
  } catch (const std::exception& e) {
    if (world && world->size() > 1) world->abort(fathom::explain(e));
    fmt::print(stderr, "exchange_bench: {}\n", fathom::explain(e));
    return 1;
  }
}
