// Log lines on standard error, through spdlog; standard output carries only a command's result.
#pragma once
#include <spdlog/spdlog.h>

namespace fathom::log {
using spdlog::debug;
using spdlog::info;
using spdlog::warn;
}  // namespace fathom::log
