// The ranks that a test of collectives runs on, and tensors in their memory. What a rank holds is a function
// of its number and the element, so that every rank knows what all of them hold and computes the result
// serially.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "comm/limits.h"
#include "support/needs_gpu.h"
#include "tensor/arena.h"
#include "tensor/memory.h"

namespace fathom::testing {

// All ranks of this program: one, or those of mpirun (alone.cpp, ranks_main.cpp). Empty: not enough GPUs.
std::unique_ptr<Device> device_of_rank(bool gpu);
Communicator all_ranks(const Device& device, const CommLimits& limits);

struct Memory {
  std::string name;
  bool gpu = false;
  CommLimits limits{};
};

template <class T>
T number(double value) {
  if constexpr (std::is_same_v<T, bf16>)
    return bf16(static_cast<float>(value));
  else
    return static_cast<T>(value);
}
template <class T>
double value_of(T x) {
  if constexpr (std::is_same_v<T, bf16>)
    return static_cast<float>(x);
  else
    return static_cast<double>(x);
}

// Runs a test in host memory, there with messages of a few bytes, which takes the path of tensors beyond the
// counts of MPI, and on a GPU.
class Ranks : public ::testing::TestWithParam<Memory> {
 protected:
  void SetUp() override {
    if (GetParam().gpu) FATHOM_NEEDS_GPU();
    device_ = device_of_rank(GetParam().gpu);
    if (!device_)
      GTEST_SKIP() << "needs a GPU for each rank, and a build with NCCL: tools/gpu_check.sh, or mpirun "
                      "comm_ranks_test, there";
    comm_ = std::make_unique<Communicator>(all_ranks(*device_, GetParam().limits));
  }

  Communicator& comm() { return *comm_; }
  Device& device() { return *device_; }
  int rank() const { return comm_->rank(); }
  int size() const { return comm_->size(); }
  bool on_host() const { return device_->on_host(); }

  // A tensor whose element i is value(i).
  template <class T>
  Tensor make(std::initializer_list<int64_t> shape, const std::function<double(int64_t)>& value) {
    const Tensor plan(nullptr, dtype_of<T>, shape);
    arenas_.emplace_back("test", plan.bytes() + 64, *device_);
    const Tensor t = arenas_.back().allocate(dtype_of<T>, shape);
    if (t.count() == 0) return t;
    Staging(*device_).write(t, [&](const Tensor& host) {
      for (int64_t i = 0; i < t.count(); ++i) host.as<T>()[i] = number<T>(value(i));
    });
    return t;
  }
  template <class T>
  Tensor filled(std::initializer_list<int64_t> shape, double value) {
    return make<T>(shape, [=](int64_t) { return value; });
  }

  // The elements of a tensor, rows one after another.
  template <class T>
  std::vector<double> read(const ConstTensor& t) {
    std::vector<double> values;
    Staging staging(*device_);
    const ConstTensor host = t.count() ? staging.read(t) : t;
    for (int64_t r = 0; r < t.rows() && t.count(); ++r)
      for (int64_t c = 0; c < t.cols(); ++c) values.push_back(value_of(host.row<T>(r)[c]));
    return values;
  }

 private:
  std::unique_ptr<Device> device_;
  std::unique_ptr<Communicator> comm_;
  std::list<Arena> arenas_;
};

// Small whole numbers: every type and every order of a sum is exact.
inline double held(int rank, int64_t i) {
  return static_cast<double>((i * 7 + rank * 13 + i * rank) % 31) - 10;
}

inline std::vector<double> expected(int64_t n, const std::function<double(int64_t)>& value) {
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(value(i));
  return values;
}

inline std::vector<Memory> memories() {
  return {
      {"host"}, {"host_in_small_pieces", false, {.message_bytes = 40, .reduced_bytes = 24}}, {"cuda", true}};
}

}  // namespace fathom::testing

#define FATHOM_ON_ALL_MEMORIES(Suite)                                                     \
  INSTANTIATE_TEST_SUITE_P(On, Suite, ::testing::ValuesIn(::fathom::testing::memories()), \
                           [](const auto& info) { return info.param.name; })
