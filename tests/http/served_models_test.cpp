#include "http/served_models.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ServedModels, WhatStaysTheSame) {
  const auto models = parse_served_models(R"({"object": "list", "data": [
    {"id": "a", "created": 17, "owned_by": "vllm", "root": "org/a", "parent": null, "max_model_len": 2048,
     "permission": [{"id": "modelperm-1"}]},
    {"id": "b", "meta": {"n_ctx_train": 4096}, "max_model_len": -3}, {"name": "c"}, 7]})");
  ASSERT_TRUE(models.has_value());
  ASSERT_EQ(models->size(), 2u);
  EXPECT_EQ((*models)[0].name, "a");
  EXPECT_EQ((*models)[0].facts.dump(), R"({"owned_by":"vllm","root":"org/a","max_model_len":2048})");
  EXPECT_EQ((*models)[0].context, 2048);
  EXPECT_EQ((*models)[1].facts.dump(), R"({"max_model_len":-3,"meta":{"n_ctx_train":4096}})");
  EXPECT_FALSE((*models)[1].context.has_value());
  for (const char* body : {"", "{}", "[]", R"({"data": 7})"})
    EXPECT_FALSE(parse_served_models(body).has_value());
}

}  // namespace
}  // namespace fathom
