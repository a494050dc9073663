// What the backward pass computes again instead of keeping it from the forward pass: less memory for
// activations, more time. The results are the same bits. The paper recomputes some operators (section 3.1.3);
// DeepSeek-V3's report names norms, SwiGLU and MLA's up-projections.
//
// With deferred weight gradients (activations.h) parts are recomputed once too, in the input pass, and kept
// from there until the weight gradients are made: what they save counts for the micro-batches that wait for
// their input pass. Whole layers keep nothing: their weight gradients are made in the input pass.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace fathom {

struct Recompute {
  int64_t layers = 0;           // the first layers whole: of each only the input is kept
  bool norms = false;           // normed inputs of attention and MLP, normed latents
  bool swiglu = false;          // activations of all MLPs and experts
  bool up_projections = false;  // queries of all heads, expanded keys and values
  bool attention = false;       // attention's output
  bool dispatch = false;        // tokens in the experts' order

  // Sets the parts with these names; Error with `where` if there is no such part.
  void set_parts(const std::string& where, const std::vector<std::string>& names);
};

}  // namespace fathom
