#include "cli/endpoint_flags.h"

#include "cli/flags.h"

namespace fathom {

void add_endpoint_limits(CLI::App& command, EndpointFlags& f, const std::string& prefix,
                         const std::string& whose) {
  command.add_option(prefix + "key-env", f.key_env, "environment variable with the key of " + whose);
  add_number(command, prefix + "timeout", f.timeout, "seconds for one reply of " + whose,
             Allowed<double>{.low = 0, .high = 86400, .low_excluded = true});
  add_number(command, prefix + "retries", f.retries, "of a request that fails, after growing pauses",
             Allowed<int64_t>{.low = 0, .high = 100});
}

HttpEndpoint http_of(const EndpointFlags& f, const std::string& prefix) {
  HttpEndpoint http;
  http.limits.seconds = f.timeout;
  http.retries = f.retries;
  if (!f.key_env.empty()) add_bearer(http, f.key_env, prefix + "key-env");
  return http;
}

}  // namespace fathom
