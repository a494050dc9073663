// A model of this process behind OpenAI's routes on this machine. The first part of the path says how it
// behaves: "good", or one of the ways in which servers fail.
#pragma once
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "io/json.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace fathom::testing {

class ModelHttpServer {
 public:
  // The engine scores. All must outlive this.
  ModelHttpServer(Engine& engine, const Tokenizer& tokenizer, const ChatTemplate* chat = nullptr);
  ~ModelHttpServer();
  ModelHttpServer(const ModelHttpServer&) = delete;

  std::string url(const std::string& behaviour = "good") const;
  // Requests of completions so far.
  int asked(const std::string& behaviour);

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Reply {
    int status = 200;
    std::string body;
  };
  struct Call {
    std::string behaviour, authorization;
    Json body;
    int count;  // how often this behaviour was asked, with this
  };

  void serve();
  void answer(Socket socket);
  Reply reply(const std::string& target, const std::string& body, const std::string& authorization);
  Reply complete(const Call& call, std::vector<int32_t> ids, bool chat);
  std::vector<double> values_of(const std::vector<int32_t>& ids);

  Engine& engine_;
  const Tokenizer& tokenizer_;
  const ChatTemplate* chat_;
  std::mutex mutex_;  // the engine, and the counts
  std::map<std::string, int> asked_;
  std::atomic<bool> ended_ = false;
  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::vector<std::jthread> connections_;
  std::jthread accepting_;
};

}  // namespace fathom::testing
