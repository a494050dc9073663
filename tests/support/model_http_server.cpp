#include "support/model_http_server.h"

#include <algorithm>
#include <chrono>

#include "engine/generate_all.h"
#include "eval/seam.h"
#include "text/sent_json.h"
#include "text/utf8.h"

namespace fathom::testing {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

std::string error_body(const std::string& message) {
  return Json{{"error", {{"message", message}, {"code", 400}}}}.dump();
}

// A token as the named kind of server writes it; else bytes that are no character become U+FFFD when the
// reply is written.
std::string spelled(const std::string& behaviour, const std::string& bytes) {
  if (valid_utf8_prefix(bytes) == bytes.size()) return bytes;
  if (behaviour == "ignores-bytes") return "";
  if (behaviour != "names-bytes") return bytes;
  std::string out = "bytes:";
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

// What a server that fails makes of its tokens and their values.
void spoil(const std::string& behaviour, size_t prompt, std::vector<std::string>& tokens, Json& values) {
  if (behaviour == "no-echo") {
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(prompt));
    values.erase(values.begin(), values.begin() + static_cast<ptrdiff_t>(prompt));
  }
  if (behaviour == "nulls") std::fill(values.begin(), values.end(), nullptr);
  if (behaviour == "short") tokens.erase(tokens.begin() + 2), values.erase(values.begin() + 2);
  if (behaviour == "uneven") values.erase(values.begin() + 2);
  if (behaviour == "positive") values[3] = 0.25;
  if (behaviour == "constant") std::fill(values.begin() + 1, values.end(), -1.5);
  if (behaviour == "other-text") std::fill(tokens.begin(), tokens.end(), "x");
  // Of the next token in each place, so that it is known what comes.
  if (behaviour == "shifted") std::rotate(values.begin(), values.begin() + 1, values.end());
}

}  // namespace

ModelHttpServer::ModelHttpServer(Engine& engine, const Tokenizer& tokenizer, const ChatTemplate* chat)
    : engine_(engine),
      tokenizer_(tokenizer),
      chat_(chat),
      acceptor_(io_, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      accepting_([this] { serve(); }) {}

ModelHttpServer::~ModelHttpServer() {
  ended_ = true;
  ErrorCode ignored;
  // Wakes the accept.
  asio::io_context io;
  Socket(io).connect(acceptor_.local_endpoint(), ignored);
}

std::string ModelHttpServer::url(const std::string& behaviour) const {
  return fmt::format("http://127.0.0.1:{}/{}/v1", acceptor_.local_endpoint().port(), behaviour);
}

int ModelHttpServer::asked(const std::string& behaviour) {
  const std::lock_guard lock(mutex_);
  return asked_[behaviour];
}

void ModelHttpServer::serve() {
  while (!ended_) {
    ErrorCode error;
    Socket socket = acceptor_.accept(error);
    if (error || ended_) continue;
    connections_.emplace_back([this, s = std::move(socket)]() mutable { answer(std::move(s)); });
  }
}

void ModelHttpServer::answer(Socket socket) {
  ErrorCode error;
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  http::read(socket, buffer, request, error);
  if (error) return;
  const Reply made =
      reply(std::string(request.target()), request.body(), std::string(request[http::field::authorization]));
  http::response<http::string_body> response(static_cast<http::status>(made.status), 11);
  response.body() = made.body;
  response.prepare_payload();
  http::write(socket, response, error);
}

ModelHttpServer::Reply ModelHttpServer::reply(const std::string& target, const std::string& body,
                                              const std::string& authorization) {
  const size_t slash = target.find('/', 1);
  Call call{target.substr(1, slash - 1), authorization, {}, 0};
  const std::string route = target.substr(slash);
  if (call.behaviour == "keyed" && authorization != "Bearer secret") return {401, error_body("no such key")};
  if (route == "/v1/models") {
    if (call.behaviour == "no-models") return {404, "{}"};
    Json models = {{{"id", "small"}, {"owned_by", "tests"}, {"max_model_len", engine_.longest()}}};
    if (call.behaviour == "two-models") models.push_back({{"id", "other"}});
    return {200, Json{{"data", models}}.dump()};
  }
  call.body = parse_json(body, "request");
  {
    const std::lock_guard lock(mutex_);
    ++asked_[call.behaviour];
    call.count = ++asked_[call.behaviour + body];
  }
  if (route == "/v1/chat/completions")
    return complete(call,
                    chat_->encode(tokenizer_, call.body["messages"],
                                  {.add_generation_prompt = true, .variables = Json::object()}),
                    true);
  const Json& prompt = call.body["prompt"];
  if (prompt.is_array() && call.behaviour == "texts-only")
    return {422, R"({"detail": [{"msg": "not a string"}]})"};
  return complete(call,
                  prompt.is_array()
                      ? prompt.get<std::vector<int32_t>>()
                      : SeamEncoder(tokenizer_, true).prompt(jinja::Text(prompt.get<std::string>(), true)),
                  false);
}

// log P of ids[1], ids[2], ...
std::vector<double> ModelHttpServer::values_of(const std::vector<int32_t>& ids) {
  if (ids.size() < 2) return {};
  Request request{.prompt = {ids.begin(), ids.end() - 1},
                  .sampling = {},
                  .stop = {},
                  .scoring = Scoring{.first = 1, .next = {ids.back()}}};
  return generate_all(engine_, {std::move(request)})[0].scores;
}

ModelHttpServer::Reply ModelHttpServer::complete(const Call& call, std::vector<int32_t> ids, bool chat) {
  const Json& body = call.body;
  const std::string& as = call.behaviour;
  if (as == "broken") return {500, "{}"};
  if (as == "strict" && body.contains("repeat_penalty"))
    return {400, error_body("Unrecognized request argument")};
  if (as == "busy" && call.count <= 2) return {429, "{}"};
  if (as == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (as == "asleep") std::this_thread::sleep_for(std::chrono::seconds(1));
  const bool echo = body.value("echo", false), log_probs = body.contains("logprobs") && as != "no-logprobs";
  if (echo && as == "refuses-echo") return {400, error_body("Only no echo is supported")};
  if (echo && as == "breaks-later" && call.body.dump().find("ccc") != std::string::npos) return {500, "{}"};
  const auto most = body["max_tokens"].get<int64_t>();
  if (std::ssize(ids) + most > engine_.longest())
    return {400, error_body(fmt::format(
                     "This model's maximum context length is {} tokens. However, you requested {}",
                     engine_.longest(), std::ssize(ids) + most))};
  Request request{.prompt = ids, .sampling = {}, .stop = {most, {256}, {}}, .log_probs = true};
  request.sampling.temperature = body.value("temperature", 1.0),
  request.sampling.top_p = body.value("top_p", 1.0);
  request.sampling.seed = body.value("seed", uint64_t{0});
  if (as != "stops-late") request.stop.strings = body.value("stop", std::vector<std::string>());
  std::vector<double> prompt_values;
  Completion c;
  {
    const std::lock_guard lock(mutex_);
    if (echo) prompt_values = values_of(ids);
    c = std::move(generate_all(engine_, {std::move(request)})[0]);
  }
  std::vector<std::string> tokens;
  Json values = Json::array();
  for (size_t i = 0; echo && i < ids.size(); ++i) {
    tokens.push_back(spelled(as, tokenizer_.decode(std::span(&ids[i], 1))));
    values.push_back(i == 0 ? Json(nullptr) : Json(prompt_values[i - 1]));
  }
  const size_t prompt = tokens.size();
  for (size_t i = 0; i < c.tokens.size(); ++i) {
    tokens.push_back(spelled(as, tokenizer_.decode(std::span(&c.tokens[i], 1))));
    values.push_back(c.log_probs[i]);
  }
  if (log_probs) spoil(as, prompt, tokens, values);
  Json choice = {{"index", 0}, {"finish_reason", c.finish == FinishReason::stop ? "stop" : "length"}};
  if (chat)
    choice["message"] = {{"role", "assistant"}, {"content", c.text}};
  else
    choice["text"] = c.text;
  if (log_probs) choice["logprobs"] = {{"tokens", tokens}, {"token_logprobs", values}};
  Json json = {{"choices", {choice}}};
  if (as != "no-usage")
    json["usage"] = {{"prompt_tokens", ids.size()}, {"completion_tokens", c.tokens.size()}};
  std::string text = json_line(json);
  if (as == "torn") text.resize(text.size() / 2);
  if (as == "nan" && log_probs) {
    const size_t at = text.find("-", text.find("token_logprobs"));
    text.replace(at, text.find_first_of(",]", at) - at, "NaN");
  }
  return {200, text};
}

}  // namespace fathom::testing
