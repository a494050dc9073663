#include "plan/rates.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "support/paths.h"
#include "support/temp_dir.h"

namespace fathom::testing {
namespace {

TEST(Rates, TheDefaultIsTheCommittedFile) {
  const std::string path = source_dir() + "/bench/rates/h100.json";
  EXPECT_EQ(rates_to_json(default_rates()), rates_to_json(read_rates(path)));
  EXPECT_FALSE(default_rates().on_host);
}

TEST(Rates, AreWrittenAndReadAgain) {
  Rates r = default_rates();
  r.on_host = true, r.dtype = DType::f32, r.whole_step = 0.97;
  r.of_kind[3] = 123e9;
  const OrderedJson json = rates_to_json(r);
  const Rates again = rates_from_json(Json::parse(json.dump()), "test");
  EXPECT_EQ(rates_to_json(again), json);
  EXPECT_TRUE(again.on_host);
  EXPECT_EQ(again.dtype, DType::f32);
  EXPECT_NEAR(again.of(RateKind::experts_forward), 123e9, 1);
}

TEST(Rates, BoundByOperationsOrByBytes) {
  Rates r = default_rates();
  r.whole_step = 1.5;
  r.of_kind.assign(rate_kinds, 0);
  r.of_kind[static_cast<size_t>(RateKind::dense_forward)] = 100;
  r.of_kind[static_cast<size_t>(RateKind::memory)] = 10;
  r.of_kind[static_cast<size_t>(RateKind::optimizer)] = 5;
  EXPECT_DOUBLE_EQ(r.seconds(OpWork{"linear_forward", 1000, 20}), 10);
  EXPECT_DOUBLE_EQ(r.seconds(OpWork{"linear_forward", 1000, 200}), 20);
  EXPECT_DOUBLE_EQ(r.seconds(OpWork{"rope", 1000, 20}), 2);
  EXPECT_DOUBLE_EQ(r.seconds(OpWork{"adamw", 1000, 20}), 4);
  EXPECT_DOUBLE_EQ(r.seconds(Work{{"rope", 0, 20}, {"adamw", 0, 20}}), 1.5 * 6);
}

TEST(Rates, OfAMeasuredStep) {
  std::vector<Profile::Row> ops;
  for (const char* op :
       {"linear_forward", "linear_backward_input", "linear_backward_weight", "grouped_linear_forward",
        "grouped_linear_backward_input", "grouped_linear_backward_weight", "attention_forward",
        "attention_backward", "rope", "adamw"})
    ops.push_back({.op = op, .calls = 1, .seconds = 2, .bytes = 10, .operations = 30});
  ops.push_back({.op = "rmsnorm_forward", .calls = 1, .seconds = 3, .bytes = 40, .operations = 0});
  Rates rest;
  rest.device = "test";
  const Rates r = measured_rates(rest, ops);
  EXPECT_EQ(r.device, "test");
  EXPECT_DOUBLE_EQ(r.of(RateKind::attention_backward), 15);
  EXPECT_DOUBLE_EQ(r.of(RateKind::memory), 10);
  EXPECT_DOUBLE_EQ(r.of(RateKind::optimizer), 5);
  ops.erase(ops.begin() + 3);
  EXPECT_NE(error_of([&] { measured_rates({}, ops); }).find("experts_forward"), std::string::npos);
}

TEST(Rates, WhatCannotBeIsNamed) {
  const TempDir dir;
  const std::string path = dir / "rates.json";
  const auto error = [&](const std::function<void(Json&)>& change) {
    Json json = Json::parse(rates_to_json(default_rates()).dump());
    change(json);
    write_file(path, json.dump());
    const std::string message = error_of([&] { read_rates(path); });
    EXPECT_NE(message.find(path), std::string::npos) << message;
    return message;
  };
  EXPECT_NE(error([](Json& j) { j["tflops"]["experts_forward"] = 0; }).find("tflops.experts_forward"),
            std::string::npos);
  EXPECT_NE(error([](Json& j) { j["gb_per_s"].erase("memory"); }).find("gb_per_s.memory"), std::string::npos);
  EXPECT_NE(error([](Json& j) { j["backend"] = "tpu"; }).find("'tpu'"), std::string::npos);
  EXPECT_NE(error([](Json& j) { j["whole_step"] = -1; }).find("whole_step"), std::string::npos);
  EXPECT_NE(error([](Json& j) { j["tflops"]["limit"] = -893; }).find("'tflops.limit' is -893"),
            std::string::npos);
  EXPECT_NE(error([](Json& j) { j["gb_per_s"]["optimizer"] = "fast"; }).find("gb_per_s.optimizer"),
            std::string::npos);
  EXPECT_NE(error([](Json& j) { j["gb_per_s"]["memory"] = nullptr; }).find("gb_per_s.memory"),
            std::string::npos);
  // In bytes instead of gigabytes.
  EXPECT_NE(error([](Json& j) { j["gb_per_s"]["memory"] = 2.3e12; }).find("gb_per_s.memory"),
            std::string::npos);
  EXPECT_NE(error([](Json& j) { j["dtype"] = "fp4"; }).find("fp4"), std::string::npos);
  EXPECT_NE(error([](Json& j) { j.erase("tflops"); }).find("tflops"), std::string::npos);
}

}  // namespace
}  // namespace fathom::testing
