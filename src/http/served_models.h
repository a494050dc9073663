// What an OpenAI-compatible endpoint says of its models (/v1/models).
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "http/endpoint.h"
#include "io/json.h"

namespace fathom {

struct ServedModel {
  std::string name;
  // What stays the same from one request to the next: whose it is, what it is made of, its context.
  OrderedJson facts = OrderedJson::object();
  std::optional<int64_t> context;  // tokens, where the endpoint says so
};

// Elements without a name are left out. Nothing where it is no list of models.
std::optional<std::vector<ServedModel>> parse_served_models(const std::string& body);

// Asks the endpoint, whose address is that of any of its routes or ends in ".../v1". Nothing where it has no
// such route. Error naming `base` when there is no connection.
std::optional<std::vector<ServedModel>> ask_served_models(HttpEndpoint endpoint, const std::string& base);

}  // namespace fathom
