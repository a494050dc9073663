// Ranks that fail in one way each, as launch_test.cpp asks: comm_failures MODE, under mpirun. The last rank
// is at fault; the others wait for it in a collective, where they would stay.
#include <fmt/format.h>

#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "comm/world.h"
#include "tensor/arena.h"
#include "tensor/memory.h"

namespace fathom {
namespace {

void all_reduce(Communicator& comm) {
  std::vector<float> values(1000);
  comm.run(AllReduce{.x = Tensor(values.data(), DType::f32, {1000})});
}

// The last rank sends fewer rows than the others expect.
void disagree_on_rows(Communicator& comm) {
  const bool last = comm.rank() == comm.size() - 1;
  const int64_t n = 4;
  std::vector<int64_t> in_rows(comm.size(), last ? n - 1 : n), out_rows(comm.size(), n);
  in_rows[comm.rank()] = out_rows[comm.rank()] = n;
  if (!last) out_rows.back() = n;
  std::vector<float> in(n * comm.size()), out(n * comm.size());
  const int64_t sent = last ? n + (n - 1) * (comm.size() - 1) : n * comm.size();
  comm.run(AllToAll{.out = Tensor(out.data(), DType::f32, {n * comm.size(), 1}),
                    .out_rows = out_rows,
                    .in = Tensor(in.data(), DType::f32, {sent, 1}),
                    .in_rows = in_rows});
  comm.barrier();
}

void receive_what_nobody_sends(Communicator& comm) {
  float value = 0;
  comm.start(Receive{.x = Tensor(&value, DType::f32, {1}), .from = 0}).wait();
}

void sleep_for_ever() {
  std::this_thread::sleep_for(std::chrono::hours(1));
}

// The others are where no communicator waits, as in a call of a GPU's driver.
void wait_elsewhere(World& world, const std::string& mode, Communicator& comm) {
  world.watch_for_hangs(2);
  const bool last = world.rank() == world.size() - 1;
  if (mode == "elsewhere-stop" && last) std::raise(SIGSTOP);
  if (mode == "elsewhere-deadlock" && last) receive_what_nobody_sends(comm);
  world.waits()->wait_begins();
  sleep_for_ever();
}

// All but the last rank, which stops, wait in a collective of their GPUs'.
void stop_on_gpus(World& world) {
  world.watch_for_hangs(2);
  Device device = Device::cuda(world.rank_on_host());
  Communicator comm = world.communicator(device);
  Arena memory("test", 4096, device);
  const Tensor x = memory.allocate(DType::f32, {1000});
  comm.run(AllReduce{.x = x});
  synchronize(device);
  if (world.rank() == world.size() - 1) std::raise(SIGSTOP);
  for (;;) {
    comm.run(AllReduce{.x = x});
    synchronize(device);
  }
}

void fail_as(const std::string& mode, World& world) {
  if (mode == "cuda-stop") return stop_on_gpus(world);
  const Device device = Device::cpu(1);
  Communicator comm = world.communicator(device);
  all_reduce(comm);
  const bool last = world.rank() == world.size() - 1;
  if (mode == "throw" && last) fail("the disk is full");
  if (mode == "throw-everywhere") fail("no such file");
  if (mode == "kill" && last) std::raise(SIGKILL);
  if (mode == "leave" && last) std::_Exit(0);
  if (mode == "stop" || mode == "sleep" || mode == "deadlock") world.watch_for_hangs(2);
  if (mode == "stop" && last) std::raise(SIGSTOP);
  if (mode == "sleep" && last) sleep_for_ever();
  if (mode.starts_with("elsewhere")) wait_elsewhere(world, mode, comm);
  if (mode == "deadlock" && last) receive_what_nobody_sends(comm);
  if (mode == "differ") world.check_same("the recipe", last ? "steps = 200" : "steps = 100");
  if (mode == "rows") disagree_on_rows(comm);
  if (mode == "pending") {
    std::vector<float> values(1000);
    Pending pending = comm.start(AllReduce{.x = Tensor(values.data(), DType::f32, {1000})});
    if (last) fail("while something is under way");
    pending.wait();
  }
  all_reduce(comm);
}

}  // namespace
}  // namespace fathom

int main(int, char** argv) {
  std::optional<fathom::World> world;
  try {
    world.emplace();
    world->check_ranks();
    fathom::fail_as(argv[1], *world);
    fmt::print("rank {} ended\n", world->rank());
    return 0;
  } catch (const std::exception& e) {
    if (world) world->abort(fathom::explain(e));
    fmt::print(stderr, "fathom: {}\n", e.what());
    return 1;
  }
}
