#include "http/served_models.h"

#include "base/error.h"
#include "http/reply_parts.h"

namespace fathom {
namespace {

constexpr int64_t longest_context = int64_t{1} << 40;

ServedModel model_of(const Json& element) {
  ServedModel model{text_of(member(&element, "id")), OrderedJson::object(), {}};
  // `created` and `permission` are made anew for each request by some.
  for (const char* key : {"owned_by", "root", "parent", "max_model_len", "meta"})
    if (const Json* value = member(&element, key); value && !value->is_null())
      model.facts[key] = OrderedJson::parse(json_line(*value));
  const Json* context = member(&element, "max_model_len");
  if (context && context->is_number_integer() && *context > 0 && *context < longest_context)
    model.context = context->get<int64_t>();
  return model;
}

}  // namespace

std::optional<std::vector<ServedModel>> parse_served_models(const std::string& body) {
  const std::optional<Json> json = parse_sent(body);
  const Json* list = json ? member(&*json, "data") : nullptr;
  if (!list || !list->is_array()) return {};
  std::vector<ServedModel> models;
  for (const Json& element : *list)
    if (ServedModel model = model_of(element); !model.name.empty()) models.push_back(std::move(model));
  return models;
}

std::optional<std::vector<ServedModel>> ask_served_models(HttpEndpoint endpoint, const std::string& base) {
  endpoint.target = route_of(base, "/models", "--url");
  const HttpReply reply = get_with_retries(endpoint);
  check(reply.status != 0, "{}: {}", base, as_reason(reply.error));
  check(reply.status != 401 && reply.status != 403, "{}: HTTP status {}{}", base, reply.status,
        explained_in(reply.body));
  if (reply.status != 200) return {};
  return parse_served_models(reply.body);
}

}  // namespace fathom
