// Flags of an OpenAI-compatible server that is asked.
#pragma once
#include <CLI/App.hpp>
#include <string>

#include "http/endpoint.h"

namespace fathom {

struct EndpointFlags {
  std::string url, model, key_env;
  double timeout = 300;
  int64_t retries = 3;
};

// PREFIXkey-env, PREFIXtimeout, PREFIXretries of `whose`.
void add_endpoint_limits(CLI::App& command, EndpointFlags& flags, const std::string& prefix,
                         const std::string& whose);

// Everything but the address. Error when the variable with the key is not set.
HttpEndpoint http_of(const EndpointFlags& flags, const std::string& prefix);

}  // namespace fathom
