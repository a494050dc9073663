#include "cli/run_request.h"

#include <chrono>

#include "base/interrupt.h"

namespace fathom {
Generation run_request(Engine& engine, const Request& request,
                       const std::function<void(const std::string& text)>& show,
                       const std::function<void()>& decoding) {
  const auto now = std::chrono::steady_clock::now;
  const auto seconds = [](auto from, auto to) { return std::chrono::duration<double>(to - from).count(); };
  Generation result;
  const auto start = now();
  auto first = start, last = start;
  const int64_t id = engine.submit(request);
  while (engine.busy() && !interrupted()) {
    for (const Output& out : engine.step()) {
      result.text += out.text;
      result.finish = out.finish;
      result.error = out.error;
      show(out.text);
      if (out.finish == FinishReason::error) break;
      last = now();
      if (result.ids.empty()) first = last, decoding();
      result.ids.push_back(out.token);
    }
  }
  engine.abort(id);
  result.prefill = seconds(start, first);
  result.decode = seconds(first, last);
  return result;
}

}  // namespace fathom
