// Weights keep the type they are stored in where it matters: a router is f32 in memory and in every
// checkpoint, and an f32 router beside bf16 weights chooses the experts that it was trained to choose.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "model/head.h"
#include "model/model_folder.h"
#include "ops/dispatch.h"
#include "support/captured_log.h"
#include "support/gpus.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "tensor/compare.h"
#include "tensor/memory.h"

namespace fathom::testing {
namespace {

const Device host = Device::cpu(1);

bool is_router(const std::string& name) {
  return name.ends_with("mlp.gate.weight");
}

// A tensor's elements in another type, in memory that the vector keeps.
NamedTensor converted(const NamedTensor& t, DType dtype, std::vector<Arena>& memory) {
  memory.emplace_back("converted", t.tensor.count() * size_of(dtype) + 64);
  const Tensor flat = memory.back().allocate(dtype, {t.tensor.count()});
  copy_tensor(t.tensor.reshape({t.tensor.count()}), flat, t.name);
  return {t.name, t.tensor.rank == 1 ? flat : flat.reshape({t.tensor.shape[0], t.tensor.shape[1]})};
}

// The model's folder with its routers stored in this type.
void save_with_routers(const std::string& dir, const Model& model, DType router) {
  save_model(host, dir, model);
  std::vector<Arena> memory;
  std::vector<NamedTensor> tensors = checkpoint_tensors(model.config, model.weights);
  for (NamedTensor& t : tensors)
    if (is_router(t.name)) t = converted(t, router, memory);
  write_safetensors(dir + "/model.safetensors", tensors);
}

void expect_same_routers(const Model& got, const Model& want) {
  for (int64_t layer = 0; layer < want.config.num_hidden_layers; ++layer) {
    if (!want.config.is_moe_layer(layer)) continue;
    const Tensor a = got.weights.layers[layer].moe.gate.data, b = want.weights.layers[layer].moe.gate.data;
    ASSERT_EQ(a.dtype, DType::f32);
    EXPECT_EQ(relative_error(a, b), 0) << layer;
  }
}

void expect_same_weights(const Model& got, const Model& want) {
  ASSERT_EQ(got.memory.used(), want.memory.used());
  EXPECT_EQ(0, std::memcmp(got.memory.data(), want.memory.data(), static_cast<size_t>(want.memory.used())));
}

TEST(Storage, AnF32RouterIsKeptExactlyAndSavedAgain) {
  const TempDir dir, again;
  const Model model = random_model(v2_like(), DType::bf16);
  save_model(host, dir.path(), model);
  const Model loaded = load_model(host, dir.path());
  EXPECT_EQ(loaded.dtype, DType::bf16);
  expect_same_routers(loaded, model);
  save_model(host, again.path(), loaded);
  for (const std::string& path : {dir.path(), again.path()}) {
    const SafetensorsFile file(path + "/model.safetensors");
    for (const SafetensorsEntry& e : file.tensors())
      EXPECT_EQ(e.dtype, is_router(e.name) ? "F32" : "BF16") << e.name;
  }
  expect_same_routers(load_model(host, again.path()), model);
}

TEST(Storage, ABf16RouterBecomesF32) {
  const TempDir dir, again;
  const Model model = random_model(v2_like(), DType::bf16);
  save_with_routers(dir.path(), model, DType::bf16);
  const Model loaded = load_model(host, dir.path());
  EXPECT_EQ(loaded.dtype, DType::bf16);
  const Tensor want = model.weights.layers[1].moe.gate.data, got = loaded.weights.layers[1].moe.gate.data;
  for (int64_t i = 0; i < want.count(); ++i)
    ASSERT_EQ(got.as<float>()[i], static_cast<float>(bf16(want.as<float>()[i])));
  save_model(host, again.path(), loaded);
  EXPECT_EQ(SafetensorsFile(again / "model.safetensors").entry("model.layers.1.mlp.gate.weight")->dtype,
            "F32");
  expect_same_routers(load_model(host, again.path()), loaded);
}

// What most elements are stored in decides, not the first tensor and not the routers.
TEST(Storage, TheBulkOfACheckpointDecidesWhatItRunsIn) {
  const TempDir dir;
  const Model model = random_model(v2_like(), DType::f32);
  const auto dtype_with = [&](const auto& type_of) {
    save_model(host, dir.path(), model);
    std::vector<Arena> memory;
    std::vector<NamedTensor> tensors = checkpoint_tensors(model.config, model.weights);
    for (NamedTensor& t : tensors) t = converted(t, type_of(t.name), memory);
    write_safetensors(dir / "model.safetensors", tensors);
    return load_model(host, dir.path()).dtype;
  };
  const auto bf16_but = [&](const std::string& part) {
    return dtype_with([&](const std::string& name) {
      return name.find(part) != std::string::npos ? DType::f32 : DType::bf16;
    });
  };
  EXPECT_EQ(bf16_but("mlp.gate.weight"), DType::bf16);
  EXPECT_EQ(bf16_but("norm"), DType::bf16);
  EXPECT_EQ(bf16_but("embed_tokens"), DType::bf16);
  EXPECT_EQ(bf16_but("mlp."), DType::f32);
  EXPECT_EQ(bf16_but(""), DType::f32);
  EXPECT_EQ(dtype_with([](const std::string&) { return DType::f16; }), DType::f32);
}

// What is said when a checkpoint is loaded whose tensors with this in their names are f32, and others bf16.
std::string said_with_f32(const std::string& part) {
  const TempDir dir;
  const Model model = random_model(v2_like(), DType::bf16);
  save_model(host, dir.path(), model);
  std::vector<Arena> memory;
  std::vector<NamedTensor> tensors = checkpoint_tensors(model.config, model.weights);
  for (NamedTensor& t : tensors)
    if (t.name.find(part) != std::string::npos) t = converted(t, DType::f32, memory);
  write_safetensors(dir / "model.safetensors", tensors);
  const CapturedLog lines;
  load_model(host, dir.path(), DType::bf16);
  return lines.text();
}

TEST(Storage, WhatIsRoundedIsSaidOnce) {
  EXPECT_EQ(said_with_f32("mlp.gate.weight"), "");
  const std::string norms = said_with_f32("input_layernorm");
  EXPECT_NE(norms.find("rounded: 3, the first of them 'model.layers.0.input_layernorm.weight', f32 to bf16"),
            std::string::npos)
      << norms;
  EXPECT_EQ(std::count(norms.begin(), norms.end(), '\n'), 1);
}

TEST(Storage, AStaleHeadOfATiedModelIsNamed) {
  const TempDir dir;
  const Model model = random_model(lite_like(), DType::f32);
  save_model(host, dir.path(), model);
  std::vector<NamedTensor> tensors = checkpoint_tensors(model.config, model.weights);
  const auto said_with_head = [&](const ConstTensor& head) {
    auto all = tensors;
    all.push_back({"lm_head.weight", head});
    write_safetensors(dir / "model.safetensors", all);
    const CapturedLog lines;
    expect_same_weights(load_model(host, dir.path()), model);
    return lines.text();
  };
  const Tensor embedding = model.weights.embed_tokens.data;
  EXPECT_EQ(said_with_head(embedding), "");
  Model other = random_model(lite_like(), DType::f32);
  other.weights.embed_tokens.data.as<float>()[other.weights.embed_tokens.count() - 1] += 1;
  const std::string stale = said_with_head(other.weights.embed_tokens.data);
  EXPECT_NE(stale.find("'lm_head.weight' is ignored"), std::string::npos) << stale;
  EXPECT_EQ(std::count(stale.begin(), stale.end(), '\n'), 1);
}

// Pairs of experts whose router rows differ by one part in 1024: rounded to bf16 they are the same. Which of
// two experts is the odd third to be chosen hangs on what rounding takes away.
Model model_with_near_ties(DType dtype) {
  Config c = v2_like();
  c.initializer_range = 0.3;
  Model model = random_model(c, dtype);
  for (LayerWeights& layer : model.weights.layers) {
    if (!layer.is_moe()) continue;
    const Tensor gate = layer.moe.gate.data;
    for (int64_t e = 0; e < gate.rows(); e += 2)
      for (int64_t i = 0; i < gate.cols(); ++i) {
        float& low = gate.row<float>(e)[i];
        low = static_cast<float>(bf16(low));
        gate.row<float>(e + 1)[i] = low * (1 + 0x1p-10f);
      }
  }
  return model;
}

// Two sequences of random tokens.
HostBatch random_tokens(const Config& c) {
  HostBatch batch;
  Rng rng(3);
  for (const int32_t length : {40, 25}) {
    batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
    for (int32_t t = 0; t < length; ++t) {
      batch.tokens.push_back(static_cast<int32_t>(rng.below(static_cast<uint64_t>(c.vocab_size))));
      batch.positions.push_back(t);
    }
  }
  batch.sequence_starts.push_back(static_cast<int32_t>(batch.tokens.size()));
  return batch;
}

// The logits of every token, on the host.
std::vector<float> logits_of(Device& device, const std::string& dir, DType dtype) {
  const Model model = load_model(device, dir, dtype);
  const Config& c = model.config;
  const HostBatch tokens = random_tokens(c);
  const BatchSize size = tokens.size();
  const int64_t N = size.tokens;
  Arena memory("logits", activation_bytes(c, dtype, Purpose::serving, size) + N * c.vocab_size * 8 + 65536,
               device);
  Batch batch = allocate_batch(memory, size);
  upload_batch(device, c, tokens, batch);
  Activations a = allocate_activations(c, memory, dtype, Purpose::serving, size);
  const Tensor logits = memory.allocate(stat_of(dtype), {N, c.vocab_size});
  head_logits(device, model, model_forward(device, model, batch, a), logits);
  Staging staging(device);
  std::vector<float> values(static_cast<size_t>(logits.count()));
  copy_tensor(staging.read(logits), Tensor(values.data(), DType::f32, {N, c.vocab_size}), "logits");
  return values;
}

// The relative error of a token's logits, of the median token: a near-tie of pairs that bf16 activations
// decide otherwise changes a few tokens, a wrong router most.
double median_error(const std::vector<float>& got, const std::vector<float>& want, int64_t V) {
  const auto N = static_cast<int64_t>(got.size()) / V;
  const ConstTensor g(got.data(), DType::f32, {N, V}), w(want.data(), DType::f32, {N, V});
  std::vector<double> errors;
  for (int64_t n = 0; n < N; ++n) errors.push_back(relative_error(g.slice(n, 1), w.slice(n, 1)));
  std::nth_element(errors.begin(), errors.begin() + N / 2, errors.end());
  return errors[static_cast<size_t>(N / 2)];
}

TEST(Storage, ARoundedRouterWouldChooseOtherExperts) {
  const TempDir dir, rounded;
  const Model model = model_with_near_ties(DType::bf16);
  save_model(host, dir.path(), model);
  save_with_routers(rounded.path(), model, DType::bf16);
  Device reference = Device::reference(), cpu = Device::cpu(2);
  const std::vector<float> want = logits_of(reference, dir.path(), DType::f64);
  const auto error = [&](Device& device, const std::string& path, DType dtype) {
    return median_error(logits_of(device, path, dtype), want, model.config.vocab_size);
  };
  constexpr double rounding = 3e-2;  // bf16 activations: 8 bits, a few dozen roundings in a row
  EXPECT_LE(error(cpu, dir.path(), DType::bf16), rounding);
  EXPECT_LE(error(cpu, dir.path(), DType::f32), 1e-5);
  EXPECT_GE(error(reference, rounded.path(), DType::f64), 5 * rounding);
  if (gpus() > 0) {
    Device cuda = Device::cuda();
    EXPECT_LE(error(cuda, dir.path(), DType::bf16), rounding);
  }
}

}  // namespace
}  // namespace fathom::testing
