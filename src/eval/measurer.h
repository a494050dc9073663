// Who measures items: the engine of this process, or a server. What follows from it (scores, records,
// averages) is the same.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "eval/items.h"
#include "eval/measured.h"

namespace fathom {

struct MeasurementSettings {
  uint64_t seed = 1234;                // of examples and samples
  std::vector<int64_t> eos_token_ids;  // what ends an answer
  int threads = 1;                     // that make prompts
};

// Some items of one subject.
struct ItemSpan {
  const SubjectItems* subject;
  std::span<const Item> items;
};

class Measurer {
 public:
  Measurer() = default;
  Measurer(const Measurer&) = delete;
  virtual ~Measurer() = default;

  // In the order of the items. `progress` is called now and then with the number of items that are done. Error
  // when it is interrupted, or an item cannot be measured.
  virtual std::vector<Measured> measure(std::span<const ItemSpan> spans,
                                        const std::function<void(int64_t)>& progress) = 0;
  // What was computed before is not used again.
  virtual void forget() {}
};

}  // namespace fathom
