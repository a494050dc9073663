// One process: without GPUs the identity, with one NCCL's ranks of which there is one.
#include "comm/nccl.h"
#include "comm/ranks.h"

namespace fathom::testing {

std::unique_ptr<Device> device_of_rank(bool gpu) {
  if (gpu && !FATHOM_WITH_NCCL) return nullptr;
  return std::make_unique<Device>(gpu ? Device::cuda() : Device::cpu(2));
}

Communicator all_ranks(const Device& device, const CommLimits&) {
  Communicator alone = Communicator::alone(device);
  if (device.on_host()) return alone;
  auto nccl = nccl_backend(device, alone.host(), nullptr);
  return Communicator(std::move(nccl), std::make_unique<Communicator>(std::move(alone.host())));
}

// What a GPU does alone: NCCL is not asked.
TEST(CommCuda, OneRankAloneCopies) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  Communicator alone = Communicator::alone(device);
  Arena arena("test", 4096, device);
  const Tensor in = arena.allocate(DType::f32, {3, 4}), out = arena.allocate(DType::f32, {3, 2});
  std::vector<float> values(12), back(6);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  upload(device, in, Tensor(values.data(), DType::f32, {3, 4}));
  const std::vector<int64_t> rows{3};
  alone.run(AllToAll{.out = out, .out_rows = rows, .in = in.columns(1, 2), .in_rows = rows});
  download(device, Tensor(back.data(), DType::f32, {3, 2}), out);
  EXPECT_EQ(back, (std::vector<float>{1, 2, 5, 6, 9, 10}));
}

}  // namespace fathom::testing
