// GPU memory, CUDA graphs and the side stream.
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/error.h"
#include "support/needs_gpu.h"
#include "tensor/memory.h"
#include "tensor/replay.h"
#include "tensor/stream_fork.h"
#if FATHOM_WITH_CUDA
#include "tensor/cuda/context.h"
#endif

namespace fathom::testing {
namespace {

Tensor view(std::vector<float>& values, std::initializer_list<int64_t> shape) {
  return Tensor(values.data(), DType::f32, shape);
}

TEST(CudaMemory, GoesThereAndBack) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  Arena arena("test", 4096, device);
  const Tensor there = arena.allocate(DType::f32, {4, 6});
  std::vector<float> values(24), back(24, -1);
  std::iota(values.begin(), values.end(), 0.0f);
  upload(device, there, view(values, {4, 6}));
  download(device, view(back, {4, 6}), there);
  EXPECT_EQ(back, values);

  std::vector<float> columns(8, -1);
  download(device, view(columns, {4, 2}), there.columns(3, 2));
  EXPECT_EQ(columns, (std::vector<float>{3, 4, 9, 10, 15, 16, 21, 22}));
  clear(device, there);
  download(device, view(back, {4, 6}), there);
  EXPECT_EQ(back, std::vector<float>(24, 0));
  EXPECT_THROW(upload(device, there, view(values, {6, 4})), Error);
}

TEST(CudaMemory, StagingCarriesTensorsOfAnySize) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  Arena arena("test", int64_t{64} << 20, device);
  Staging staging(device);
  for (const int64_t n : {3, 5'000'000, 7}) {
    const Tensor there = arena.allocate(DType::f32, {n});
    staging.write(there, [&](const Tensor& host) {
      for (int64_t i = 0; i < n; ++i) host.as<float>()[i] = static_cast<float>(i % 1000);
    });
    const ConstTensor host = staging.read(there);
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(host.as<float>()[i], static_cast<float>(i % 1000));
  }
}

// A pitch of a strided copy has at most 31 bits; a contiguous tensor may be larger.
TEST(CudaMemory, CopiesMoreThan2GiBAtOnce) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  const int64_t n = (int64_t{1} << 31) + 4096;
  Arena arena("test", n + 256, device), host_memory("test", n + 256), back_memory("test", n + 256);
  const Tensor there = arena.allocate(DType::bf16, {n / 2}),
               host = host_memory.allocate(DType::bf16, {n / 2}),
               back = back_memory.allocate(DType::bf16, {n / 2});
  host.as<bf16>()[n / 2 - 1] = bf16(3.0f);
  upload(device, there, host);
  download(device, back, there);
  EXPECT_EQ(static_cast<float>(back.as<bf16>()[n / 2 - 1]), 3.0f);
}

TEST(CudaMemory, TooLittleSaysWhatWasAskedForAndWhatIsFree) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  try {
    Arena("the model's weights", int64_t{1} << 46, device, "--dtype bf16 takes less");
    FAIL() << "64 TiB were found";
  } catch (const Error& e) {
    const std::string text = e.what();
    for (const char* part : {"the model's weights", "asked for 70.4 TB", "are free; --dtype bf16"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

#if FATHOM_WITH_CUDA
// A captured graph uses the ops' workspace, which moves when an op asks for a larger one.
TEST(CudaReplay, FollowsTheWorkspace) {
  FATHOM_NEEDS_GPU();
  Device device = Device::cuda();
  CudaContext& context = device.cuda_context();
  Arena arena("test", 4096, device);
  const Tensor in = arena.allocate(DType::f32, {256}), out = arena.allocate(DType::f32, {256});
  const auto bytes = static_cast<size_t>(in.bytes());
  const auto through_workspace = [&] {
    void* middle = context.workspace(bytes);
    cuda_check(cudaMemcpyAsync(middle, in.data, bytes, cudaMemcpyDeviceToDevice, context.stream()), "copy");
    cuda_check(cudaMemcpyAsync(out.data, middle, bytes, cudaMemcpyDeviceToDevice, context.stream()), "copy");
  };
  Replay replay;
  for (int run = 0; run < 9; ++run) {
    if (run % 3 == 2) context.workspace(bytes << run);
    std::vector<float> values(256, static_cast<float>(run)), back(256, -1);
    upload(device, in, view(values, {256}));
    replay.run(device, {1}, through_workspace);
    download(device, view(back, {256}), out);
    EXPECT_EQ(back, values) << "run " << run;
  }
}

// More forms than are kept, of which the first is run again and again.
TEST(CudaReplay, KeepsWhatWasRunLast) {
  FATHOM_NEEDS_GPU();
  Device device = Device::cuda();
  constexpr auto forms = static_cast<int64_t>(Replay::max_graphs) + 8;
  Arena arena("test", 64 * (forms + 1) + 64, device);
  const Tensor in = arena.allocate(DType::f32, {1}), out = arena.allocate(DType::f32, {forms});
  int captured_or_run = 0;
  Replay replay;
  const auto run = [&](int64_t form) {
    replay.run(device, {form}, [&] {
      ++captured_or_run;
      cuda_check(cudaMemcpyAsync(out.as<float>() + form, in.data, sizeof(float), cudaMemcpyDeviceToDevice,
                                 device.cuda_context().stream()),
                 "copy");
    });
  };
  for (int round = 1; round < 4; ++round) {
    std::vector<float> value(1, static_cast<float>(round)), back(forms, -1);
    upload(device, in, view(value, {1}));
    for (int64_t form = 0; form < forms; ++form) run(0), run(form);
    download(device, view(back, {forms}), out);
    EXPECT_EQ(back, std::vector<float>(forms, static_cast<float>(round)));
  }
  // Form 0 was run and captured once; every other form was forgotten before it came again.
  EXPECT_EQ(captured_or_run, 2 + 3 * (forms - 1));
}

// The two pieces of work are long enough to overlap; each uses the workspace of its stream.
TEST(CudaStreamFork, BothComeAfterWhatWasBeforeAndBeforeWhatFollows) {
  FATHOM_NEEDS_GPU();
  Device device = Device::cuda();
  CudaContext& context = device.cuda_context();
  constexpr int64_t n = 4 << 20;
  Arena arena("test", 16 * n, device);
  const Tensor in = arena.allocate(DType::f32, {n}), both = arena.allocate(DType::f32, {2, n});
  const auto bytes = static_cast<size_t>(in.bytes());
  const auto copy = [&](void* to, const void* from) {
    cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, context.stream()), "copy");
  };
  const auto through_workspace = [&](int64_t row) {
    void* middle = context.workspace(bytes);
    copy(middle, in.data);
    copy(both.row<float>(row), middle);
  };
  const auto work = [&] {
    run_concurrently(
        device, [&] { through_workspace(0); }, [&] { through_workspace(1); });
    copy(in.data, both.row<float>(0));
    copy(both.row<float>(1), in.data);
  };
  Replay replay;
  for (int run = 0; run < 4; ++run) {
    std::vector<float> values(n, static_cast<float>(run)), back(2 * n, -1);
    upload(device, in, view(values, {n}));
    replay.run(device, {1}, work);
    download(device, view(back, {2, n}), both);
    EXPECT_EQ(back, std::vector<float>(2 * n, static_cast<float>(run))) << "run " << run;
  }
  EXPECT_NE(context.workspaces()[0], context.workspaces()[1]);
}

TEST(CudaStreamFork, AnErrorLeavesTheDeviceInOrder) {
  FATHOM_NEEDS_GPU();
  const Device device = Device::cuda();
  EXPECT_THROW(run_concurrently(
                   device, [] { fail("no"); }, [] {}),
               Error);
  EXPECT_FALSE(device.cuda_context().on_side_stream());
  device.cuda_context().synchronize();
}
#endif

TEST(CudaDevice, WithoutAGpuOneErrorSaysWhy) {
  if (gpus() > 0) GTEST_SKIP() << "needs a machine without a GPU: ./check runs it there";
  try {
    Device::cuda();
    FAIL() << "a GPU appeared";
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_TRUE(text.find("this build has no CUDA") != std::string::npos ||
                text.find("NVIDIA") != std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace fathom::testing
