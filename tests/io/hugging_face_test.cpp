#include "qlr/io/hugging_face.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "temporary_directory.hpp"

using qlr::parse_hugging_face_config;
using qlr::parse_safetensors_index;

namespace {

/// A small config with one key's value replaced, or left out for "".
std::string config_with(const std::string& key, const std::string& value) {
  std::pair<std::string, std::string> members[] = {{"architectures", R"(["LlamaForCausalLM"])"},
                                                   {"hidden_size", "8"},
                                                   {"intermediate_size", "12"},
                                                   {"num_hidden_layers", "2"},
                                                   {"num_attention_heads", "4"},
                                                   {"vocab_size", "16"},
                                                   {"max_position_embeddings", "32"},
                                                   {"model_type", "\"llama\""}};
  std::string text;
  bool is_new = true;
  for (auto& [name, old] : members) {
    if (name == key) old = value, is_new = false;
    if (!old.empty()) text += (text.empty() ? "" : ",") + ("\"" + name + "\":" + old);
  }
  if (is_new) text += ",\"" + key + "\":" + value;
  return "{" + text + "}";
}

qlr::Result<qlr::HuggingFaceConfig> parse_with(const std::string& key, const std::string& value) {
  return parse_hugging_face_config(config_with(key, value));
}

}  // namespace

TEST_CASE("the config of a Llama model, with all that it may say") {
  const auto config = parse_hugging_face_config(R"({
    "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 1,
    "eos_token_id": 2, "head_dim": 6, "hidden_act": "silu", "hidden_size": 8, "initializer_range": 2e-2,
    "intermediate_size": 12, "max_position_embeddings": 32, "mlp_bias": false, "model_type": "llama",
    "num_attention_heads": 4, "num_hidden_layers": 3, "num_key_value_heads": 2, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": null, "rope_theta": 500000.0, "tie_word_embeddings": true,
    "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 16, "quantization": {"a": [null, -1.5, {}]}})");
  REQUIRE(config.ok());
  CHECK(config->why_not_llama.empty());
  REQUIRE(config->llama.has_value());
  const qlr::LlamaConfig& llama = *config->llama;
  CHECK(llama.dim == 8);
  CHECK(llama.hidden_dim == 12);
  CHECK(llama.blocks == 3);
  CHECK(llama.heads == 4);
  CHECK(llama.key_value_heads == 2);
  CHECK(llama.head_dim == 6);
  CHECK(llama.vocabulary == 16);
  CHECK(llama.positions == 32);
  CHECK(llama.norm_epsilon == 1e-5);
  CHECK(llama.rope_base == 500000);
  CHECK(llama.rope_pairs == qlr::RopePairs::halves);
  CHECK(llama.tied);
}

TEST_CASE("what a config may leave out, or say by null") {
  for (const std::string& text : {config_with("x", "1"), config_with("num_key_value_heads", "null"),
                                  config_with("head_dim", "null"), config_with("attention_bias", "null")}) {
    const auto config = parse_hugging_face_config(text);
    REQUIRE(config.ok());
    REQUIRE(config->llama.has_value());
    CHECK(config->llama->key_value_heads == 4);
    CHECK(config->llama->head_dim == 2);
    CHECK(config->llama->norm_epsilon == 1e-6);
    CHECK(config->llama->rope_base == 10000);
    CHECK_FALSE(config->llama->tied);
  }
}

TEST_CASE("a rotary embedding without scaling, however it is written") {
  const std::pair<const char*, const char*> plain[] = {{"rope_scaling", R"({"type":"default"})"},
                                                       {"rope_scaling", R"({"rope_type":"default","factor":8.0})"},
                                                       {"rope_parameters", R"({"rope_type":"default","x":[]})"},
                                                       {"rope_parameters", "{}"}};
  for (const auto& [key, value] : plain) CHECK(parse_with(key, value).ok());
  const auto config = parse_with("rope_parameters", R"({"rope_theta":250000.0,"rope_type":"default"})");
  REQUIRE(config.ok());
  CHECK(config->llama->rope_base == 250000);
}

TEST_CASE("models of other types are no error, whatever their config says") {
  const auto gpt = parse_hugging_face_config(R"({"hidden_size":[1],"model_type":"gpt2","rope_scaling":7})");
  REQUIRE(gpt.ok());
  CHECK_FALSE(gpt->llama.has_value());
  CHECK(gpt->why_not_llama == R"(expected a model_type "llama", got "gpt2")");
  for (const char* text : {"{}", R"({"model_type":null,"vocab_size":-1})"}) {
    const auto untyped = parse_hugging_face_config(text);
    REQUIRE(untyped.ok());
    CHECK(untyped->why_not_llama == R"(expected a model_type "llama", got none)");
  }
}

TEST_CASE("configs of a Llama model that lack something, or want what there is not") {
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size",
                          "max_position_embeddings"}) {
    CHECK_REFUSED(parse_with(key, ""), "expected a key \"" + std::string(key) + "\", got none");
    CHECK_REFUSED(parse_with(key, "null"), "expected a non-negative integer");
    CHECK_REFUSED(parse_with(key, "0"), "expected a " + std::string(key) + " of 1 to 268435456, got 0");
    CHECK_REFUSED(parse_with(key, "18446744073709551615"), "of 1 to 268435456, got 18446744073709551615");
    CHECK_REFUSED(parse_with(key, "-1"), "expected a non-negative integer");
    CHECK_REFUSED(parse_with(key, "1.5"), "expected an integer without fraction or exponent");
  }
  CHECK_REFUSED(parse_with("num_attention_heads", "3"),
                "expected a hidden_size that is a multiple of num_attention_heads, got 8 and 3");
  CHECK_REFUSED(parse_with("num_attention_heads", "8"), "expected heads of an even length, got 1");
  CHECK_REFUSED(parse_with("num_key_value_heads", "3"),
                "expected a number of heads that is a multiple of the 3 key-value heads, got 4");
  CHECK_REFUSED(parse_with("num_hidden_layers", "10001"), "expected a number of blocks of 1 to 10000, got 10001");
  CHECK_REFUSED(parse_with("head_dim", "268435456"), "expected heads of at most 268435456 entries in all");
  CHECK_REFUSED(parse_with("rms_norm_eps", "0"), "expected a norm's epsilon that is positive and finite");
  CHECK_REFUSED(parse_with("rms_norm_eps", "\"x\""), "expected a number");
  CHECK_REFUSED(parse_with("rope_theta", "-1.0"),
                "expected a base of the rotary embedding that is positive and finite");
  CHECK_REFUSED(parse_with("attention_bias", "true"), "expected no biases, got \"attention_bias\": true");
  CHECK_REFUSED(parse_with("mlp_bias", "true"), "expected no biases, got \"mlp_bias\": true");
  CHECK_REFUSED(parse_with("hidden_act", "\"gelu\""), R"(expected "hidden_act": "silu", got "gelu")");
  CHECK_REFUSED(parse_with("rope_scaling", R"({"type":"linear","factor":2.0})"),
                R"(expected "rope_scaling.type": "default", got "linear")");
  CHECK_REFUSED(parse_with("rope_scaling", R"({"factor":8.0,"rope_type":"llama3"})"),
                R"(expected "rope_scaling.rope_type": "default", got "llama3")");
  CHECK_REFUSED(parse_with("rope_scaling", R"({"factor":8.0})"),
                R"(expected "rope_scaling" to be null or to have a type, got none)");
  CHECK_REFUSED(parse_with("rope_scaling", "1.5"), "expected '{'");
  CHECK_REFUSED(parse_with("tie_word_embeddings", "1"), "expected true or false");
}

TEST_CASE("a config that is no JSON object is refused") {
  CHECK_REFUSED(parse_hugging_face_config(""), "expected '{' at byte 0, got the end");
  CHECK_REFUSED(parse_hugging_face_config("[]"), "expected '{' at byte 0, got '['");
  CHECK_REFUSED(parse_hugging_face_config("{} x"), "expected the end of the text");
  CHECK_REFUSED(parse_hugging_face_config(R"({"model_type":1})"), "expected '\"'");
  CHECK_REFUSED(parse_hugging_face_config(R"({"a":1,"a":1})"), "expected each key once, got \"a\" again");
  const std::string whole = config_with("rope_scaling", "null");
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(parse_hugging_face_config(whole.substr(0, size)).ok());
}

TEST_CASE("an index names the file of each tensor") {
  const auto map = parse_safetensors_index(
      R"({"metadata":{"total_size":12},"weight_map":{"b":"model-2.safetensors","a":"model-1.safetensors"}})");
  REQUIRE(map.ok());
  CHECK(*map == qlr::WeightMap{{"a", "model-1.safetensors"}, {"b", "model-2.safetensors"}});
  CHECK(parse_safetensors_index(R"({"weight_map":{}})").ok());
}

TEST_CASE("an index that leads out of its folder, or is none, is refused") {
  for (const char* name : {"", ".", "..", "../a", "a/b", "/a", "a\\\\b", "C:a", "a..b", "a\\u0000b", "a\\n"}) {
    CAPTURE(name);
    CHECK_REFUSED(parse_safetensors_index(R"({"weight_map":{"w":")" + std::string(name) + R"("}})"),
                  "tensor \"w\": expected the plain name of a file, got \"");
  }
  CHECK_REFUSED(parse_safetensors_index("{}"), "expected a key \"weight_map\", got none");
  CHECK_REFUSED(parse_safetensors_index(R"({"weight_map":[]})"), "expected '{'");
  CHECK_REFUSED(parse_safetensors_index(R"({"weight_map":{"w":1}})"), "expected '\"'");
  CHECK_REFUSED(parse_safetensors_index(R"({"weight_map":{"w":"a","w":"b"}})"), "expected each key once");
  CHECK_REFUSED(parse_safetensors_index(""), "expected '{'");
}
