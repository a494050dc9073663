// One request through an engine that has no other, as it is streamed to a person.
#pragma once
#include <functional>
#include <string>

#include "cli/generate_report.h"
#include "engine/engine.h"

namespace fathom {

// To its end, an error, or an interrupt, which drops it from the engine. show(text) is called with what can
// be shown; decoding() once the prompt is read.
Generation run_request(
    Engine& engine, const Request& request, const std::function<void(const std::string& text)>& show,
    const std::function<void()>& decoding = [] {});

}  // namespace fathom
