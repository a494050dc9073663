// Items as texts, through a server whose tokenizer is not known here: the seam of prompt and answer is found
// in the tokens that come back.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eval/echo.h"
#include "eval/item_prompts.h"
#include "eval/measurer.h"
#include "eval/model_server.h"

namespace fathom {

class TextMeasurement : public Measurer {
 public:
  // `chat`: conversations, through the server's template. All must outlive this.
  TextMeasurement(ModelServer& server, const Task& task, bool chat, const MeasurementSettings& settings);

  std::vector<Measured> measure(std::span<const ItemSpan> spans,
                                const std::function<void(int64_t)>& progress) override;

  // Error for what cannot be asked as texts: documents, and given answers in a conversation.
  static void check_task(const Task& task, bool chat);

 private:
  struct ScoredTexts {
    std::vector<MeasuredOption> options;
    int64_t prompt_tokens = 0;  // of the longest
    std::string refused;        // the server's reason, where they are too long for it
  };

  Measured choice(const SubjectItems& data, const Item& item) const;
  Measured sample(const SubjectItems& data, const Item& item, int64_t number) const;
  void sample_text(const SubjectItems& data, const Item& item, const SentSampling& sampling,
                   Measured& m) const;
  void sample_chat(const SubjectItems& data, const Item& item, const SentSampling& sampling,
                   Measured& m) const;
  // The answers to one prompt.
  void score(const jinja::Text& prompt, std::span<const jinja::Text> answers, ScoredTexts& to) const;
  ScoredTexts score_all(const std::vector<jinja::Text>& prompts,
                        const std::vector<jinja::Text>& answers) const;
  // Nothing when it is too long.
  std::optional<Echo> echo(const std::string& text, ScoredTexts& to) const;

  ModelServer& server_;
  const Task& task_;
  bool chat_;
  ItemPrompts prompts_;
  uint64_t seed_;
};

}  // namespace fathom
