// What replies of OpenAI-compatible endpoints have in common: members that may or may not be there, and what
// another status than 200 says.
#pragma once
#include <fmt/format.h>

#include <string>

#include "http/http_post.h"
#include "text/sent_json.h"

namespace fathom {

// Nothing where there is no object or no such member.
const Json* member(const Json* json, const char* key);
// Nothing where there is no list, or an empty one.
const Json* first_of(const Json* json);
// Empty where there is no text.
std::string text_of(const Json* json);

// What the body of another status says went wrong: ": MESSAGE", or nothing.
std::string explained_in(const std::string& body);

// Whether a refusal is because prompt and answer do not fit the model's context: servers have no common code
// for it, so that the words decide.
bool says_too_long(const HttpReply& reply);

// Of a reply of any status; `parse` reads the body of one of status 200. Reply has `reached`, `too_long` and
// `error`.
template <class Reply>
Reply read_reply(const HttpReply& http, Reply (*parse)(const std::string&)) {
  if (http.status == 200) return parse(http.body);
  Reply failed;
  failed.reached = false;
  failed.too_long = says_too_long(http);
  failed.error = as_reason(http.status ? fmt::format("HTTP status {}{}", http.status, explained_in(http.body))
                                       : http.error);
  return failed;
}

}  // namespace fathom
