#include "align/chat_encoding.h"

#include <algorithm>

#include "base/error.h"

namespace fathom {

// Where an answer stands in the text of the conversation that ends with it.
struct ChatEncoder::Answer {
  jinja::Text text;          // of that conversation
  size_t begin = 0, end = 0;  // bytes
  float weight = 1;
};

namespace {

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_assistant(const Json& message) {
  return message["role"] == "assistant";
}

double weight_of(const Json& message) {
  return message.contains("weight") ? message["weight"].get<double>() : 1.0;
}

// Templates leave out what they have no words for, without a sign: a role, say. Answers are looked at one by
// one: a template may write them in part once the conversation goes on.
void check_whole(const ChatRow& row, const jinja::Text& text, size_t messages) {
  size_t at = 0;
  for (size_t m = 0; m < messages; ++m) {
    if (is_assistant(row.messages[m])) continue;
    const std::string content = trimmed(row.messages[m]["content"].get<std::string>());
    const size_t found = text.bytes.find(content, at);
    check(found != std::string::npos, "{}: the chat template does not write message {}, of the role {}",
          row.where, m + 1, row.messages[m]["role"].get<std::string>());
    at = found + content.size();
  }
}

}  // namespace

int64_t EncodedRow::targets() const {
  return std::count_if(weights.begin(), weights.end(), [](float w) { return w > 0; });
}

ChatNotes& ChatNotes::operator+=(const ChatNotes& other) {
  answers += other.answers, without_end += other.without_end, shared_tokens += other.shared_tokens;
  rewritten += other.rewritten;
  return *this;
}

ChatEncoder::ChatEncoder(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                         std::vector<int32_t> ends, bool last_turn)
    : tokenizer_(tokenizer), template_(chat_template), ends_(std::move(ends)), last_turn_(last_turn) {}

// The template's own errors name its line; the row is named beside.
jinja::Text ChatEncoder::render(const ChatRow& row, size_t messages, bool prompt) const {
  ChatOptions options{.add_generation_prompt = prompt, .variables = Json::object()};
  if (!row.tools.is_null()) options.variables["tools"] = row.tools;
  Json some = Json::array();
  for (size_t m = 0; m < messages; ++m) some.push_back(row.messages[m]);
  try {
    return template_.render(some, options);
  } catch (const Error& error) {
    fail("{}: {}", row.where, error.what());
  }
}

ChatEncoder::Answer ChatEncoder::find_answer(const ChatRow& row, size_t message) const {
  const jinja::Text prompt = render(row, message, true);
  Answer answer{.text = render(row, message + 1, false), .begin = prompt.size()};
  check(answer.text.bytes.starts_with(prompt.bytes),
        "{}: the chat template writes the conversation before message {} differently when it asks for it",
        row.where, message + 1);
  answer.end = answer.text.size();
  const std::string content = trimmed(row.messages[message]["content"].get<std::string>());
  check(answer.text.bytes.find(content, answer.begin) != std::string::npos,
        "{}: the chat template does not write the answer, message {}, as it is", row.where, message + 1);
  answer.weight = static_cast<float>(row.weight * weight_of(row.messages[message]));
  return answer;
}

// Targets are the tokens that begin in an answer, up to the last one that ends it.
EncodedRow ChatEncoder::encode_text(const ChatRow& row, const jinja::Text& text,
                                    const std::vector<Answer>& answers, ChatNotes& notes) const {
  EncodedRow encoded;
  encoded.tokens = encode_marked(tokenizer_, text);
  encoded.weights.resize(encoded.tokens.size());
  std::vector<size_t> begins = {0};  // of each token's bytes, and the end
  for (const int32_t id : encoded.tokens) begins.push_back(begins.back() + tokenizer_.piece(id).size());
  check(begins.back() == text.size(), "{}: the tokenizer changes the text", row.where);
  const auto token_at = [&](size_t byte) {
    return static_cast<size_t>(std::lower_bound(begins.begin(), begins.end(), byte) - begins.begin());
  };
  for (const Answer& answer : answers) {
    const size_t first = token_at(answer.begin);
    size_t end = token_at(answer.end);
    const auto is_end = [&](int32_t id) { return std::find(ends_.begin(), ends_.end(), id) != ends_.end(); };
    size_t last = end;
    while (last > first && !is_end(encoded.tokens[last - 1])) --last;
    if (last > first) end = last;
    ++notes.answers, notes.without_end += last == first, notes.shared_tokens += begins[first] != answer.begin;
    std::fill(encoded.weights.begin() + static_cast<std::ptrdiff_t>(first),
              encoded.weights.begin() + static_cast<std::ptrdiff_t>(end), answer.weight);
  }
  return encoded;
}

std::vector<EncodedRow> ChatEncoder::encode(const ChatRow& row, ChatNotes& notes) const {
  std::vector<Answer> answers;
  size_t messages = row.messages.size();
  while (messages > 0 && !is_assistant(row.messages[messages - 1])) --messages;
  check(messages > 0, "{}: no assistant's message to learn", row.where);
  for (size_t m = last_turn_ ? messages - 1 : 0; m < messages; ++m)
    if (is_assistant(row.messages[m]) && weight_of(row.messages[m]) * row.weight > 0)
      answers.push_back(find_answer(row, m));
  check(!answers.empty(), "{}: its assistant's messages all have the weight 0", row.where);

  const jinja::Text whole = render(row, messages, false);
  check_whole(row, whole, messages);
  std::vector<Answer> inside;
  std::vector<EncodedRow> rows;
  for (Answer& answer : answers) {
    if (whole.bytes.starts_with(answer.text.bytes)) {
      inside.push_back(std::move(answer));
      continue;
    }
    ++notes.rewritten;
    rows.push_back(encode_text(row, answer.text, {answer}, notes));
  }
  if (!inside.empty()) rows.push_back(encode_text(row, whole, inside, notes));
  return rows;
}

}  // namespace fathom
