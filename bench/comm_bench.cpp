// Collectives over message sizes: mpirun -n 4 comm_bench [DEVICE, by default cpu], where "cuda" is a GPU for
// each rank. Times are medians of the slowest rank; GB/s count what a rank has to send at least.
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/ranks_time.h"
#include "comm/world.h"
#include "tensor/arena.h"

namespace fathom {
namespace {

constexpr int64_t sizes[] = {8, 1 << 10, 32 << 10, 1 << 20, 16 << 20, 128 << 20};

class Table {
 public:
  Table(Communicator& comm, const Device& device) : comm_(comm), device_(device) {}

  // `sent`: bytes that a rank has to send.
  void row(const std::string& name, int64_t bytes, double sent, const std::function<void()>& body) {
    const double time = bench::median_of_slowest(comm_, device_, body);
    if (comm_.rank() == 0)
      fmt::print("{:<16}{:>14}{:>12.1f}{:>10.3f}\n", name, bytes, time * 1e6, sent / time * 1e-9);
  }

 private:
  Communicator& comm_;
  const Device& device_;
};

void rows(Table& table, Communicator& comm, const Tensor& x, const Tensor& y) {
  const int64_t n = comm.size(), count = x.count() / n * n;
  const double others = static_cast<double>(n - 1) / static_cast<double>(n),
               bytes = static_cast<double>(x.bytes());
  table.row("all-reduce f32", x.bytes(), 2 * others * bytes, [&] { comm.run(AllReduce{.x = x}); });
  const std::vector<int64_t> equal(n, count / n);
  table.row("all-to-all", x.bytes(), others * bytes, [&] {
    comm.run(
        AllToAll{.out = y.slice(0, count), .out_rows = equal, .in = x.slice(0, count), .in_rows = equal});
  });
  // Between the ranks of pairs, so that one message is under way at a time; a rank without a partner looks
  // on.
  const int partner = comm.rank() ^ 1;
  table.row("there and back", x.bytes(), 2 * bytes, [&] {
    if (partner >= n) return;
    for (const bool first : {true, false})
      if ((comm.rank() < partner) == first)
        comm.run(Send{.x = x, .to = partner});
      else
        comm.run(Receive{.x = y, .from = partner});
  });
}

void run(World& world, std::string name) {
  if (name == "cuda") name += ":" + std::to_string(world.rank_on_host());
  const Device device = Device::named(name);
  Communicator comm = world.communicator(device);
  check(comm.size() > 1, "launch it with mpirun -n 2, or more");
  if (comm.rank() == 0) {
    fmt::print("{} ranks, {}, {} threads each\n", comm.size(), device.name(), device.threads());
    fmt::print("{:<16}{:>14}{:>12}{:>10}\n", "", "bytes", "us", "GB/s");
  }
  Table table(comm, device);
  for (const int64_t bytes : sizes) {
    Arena arena("bench", 2 * bytes + 128, device);
    const Tensor x = arena.allocate(DType::f32, {bytes / 4}), y = arena.allocate(DType::f32, {bytes / 4});
    clear(device, x), clear(device, y);
    rows(table, comm, x, y);
  }
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) {
  std::optional<fathom::World> world;
  try {
    world.emplace();
    world->check_ranks();
    fathom::run(*world, argc > 1 ? argv[1] : "cpu");
    return 0;
  } catch (const std::exception& e) {
    if (world && world->size() > 1) world->abort(fathom::explain(e));
    fmt::print(stderr, "comm_bench: {}\n", fathom::explain(e));
    return 1;
  }
}
