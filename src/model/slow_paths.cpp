#include "model/slow_paths.h"

#include <fmt/format.h>

#include "ops/cuda/fast_paths.h"

namespace fathom {
namespace {

using namespace cuda;

constexpr const char* simt_cost = "without tensor cores, at a few percent of their speed";
constexpr const char* unaligned_cost =
    "element by element instead of 16 bytes at a time, at a fraction of the memory bandwidth";

std::string supported(const auto& heads) {
  std::string text;
  for (const HeadDims& h : heads) text += fmt::format("{}{}/{}", text.empty() ? "" : ", ", h.qk, h.v);
  return text;
}
std::string supported_latents() {
  std::string text;
  for (const LatentDims& l : mma_latents)
    text += fmt::format("{}{}+{}", text.empty() ? "" : ", ", l.latent, l.rope);
  return text;
}

void add_latent_attention(std::vector<std::string>& lines, const Config& c) {
  const int64_t qk = c.qk_head_dim(), v = c.v_head_dim, rope = c.qk_rope_head_dim, latent = c.kv_lora_rank;
  const bool aligned = vectorizable_width(latent);  // the rotary key follows the latent in a row
  if (qk > max_head_dim || v > max_head_dim || latent > max_latent) return;  // an error of the ops
  if (!aligned || !(has_mma_heads(qk, v, rope) || has_wgmma_heads(qk, v, rope)))
    lines.push_back(
        fmt::format("heads of {} (qk_nope_head_dim + qk_rope_head_dim) and {} (v_head_dim), kv_lora_rank {}: "
                    "training and prefill attention run {}; tensor core kernels exist for heads of {} with "
                    "kv_lora_rank and qk_rope_head_dim multiples of {}",
                    qk, v, latent, simt_cost, supported(mma_heads), vector_elements));
  if (!has_mma_latent(latent, rope))
    lines.push_back(fmt::format(
        "kv_lora_rank {} with qk_rope_head_dim {}: decoding attention runs {}; a tensor core kernel "
        "exists for {}",
        latent, rope, simt_cost, supported_latents()));
}

void add_grouped_attention(std::vector<std::string>& lines, const Config& c) {
  const int64_t qk = c.qk_head_dim(), v = c.v_head_dim;
  if (qk > max_head_dim || v > max_head_dim) return;  // an error of the ops
  if (!has_mma_heads(qk, v, 0) || !has_mma_paged_heads(qk, v))
    lines.push_back(
        fmt::format("heads of {} (head_dim): attention runs {}; tensor core kernels exist for heads of {}",
                    qk, simt_cost, supported(mma_paged_heads)));
}

void add_experts(std::vector<std::string>& lines, const Config& c) {
  if (c.n_routed_experts == 0) return;
  if (!vectorizable_width(c.moe_intermediate_size) || !vectorizable_width(c.hidden_size))
    lines.push_back(fmt::format(
        "hidden_size {} and moe_intermediate_size {}: the experts' matrix products use small tiles "
        "without asynchronous loads, at a fraction of the tensor cores' speed; both must be "
        "multiples of {}",
        c.hidden_size, c.moe_intermediate_size, vector_elements));
  if (!vectorizable_width(c.n_routed_experts))
    lines.push_back(fmt::format(
        "n_routed_experts {}: the router's matrix products are not aligned to 16 bytes and use slower "
        "kernels, which costs a small part of a step; it should be a multiple of {}",
        c.n_routed_experts, vector_elements));
}

}  // namespace

std::vector<std::string> slow_paths(const Config& c, DType dtype) {
  std::vector<std::string> lines;
  if (dtype != DType::bf16) return lines;
  if (c.is_mla())
    add_latent_attention(lines, c);
  else
    add_grouped_attention(lines, c);
  add_experts(lines, c);
  if (!vectorizable_width(c.hidden_size))
    lines.push_back(fmt::format(
        "hidden_size {}: norms, embeddings and residual additions run {}; it should be a multiple "
        "of {}",
        c.hidden_size, unaligned_cost, vector_elements));
  return lines;
}

}  // namespace fathom
