#include "llama/generate.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "../io/file_bytes.hpp"
#include "../io/temporary_directory.hpp"
#include "llama/sampler.hpp"
#include "llama/session.hpp"
#include "random_model.hpp"

namespace {

/// llama2.c's, of tokens 3, 4, ... that are the letters a, b, ...
std::string letters(int count) {
  FileBytes bytes;
  bytes.u32(8);
  const auto token = [&](const std::string& text) { bytes.real(0.0f).u32(std::uint32_t(text.size())).text(text); };
  for (const char* text : {"?", "<s>", "</s>"}) token(text);
  for (int i = 0; i < count; ++i) token(std::string(1, char('a' + i)));
  return bytes.bytes();
}

std::unique_ptr<llama::Tokenizer> tokenizer_of(const std::string& bytes) {
  auto parsed = llama::parse_llama2c_tokenizer(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  REQUIRE(parsed.ok());
  return std::move(*parsed);
}

/// What generate() writes to its two files.
struct Written {
  qlr::Status status;
  std::string text, report;
};

std::string contents(std::FILE* file) {
  std::string text;
  std::rewind(file);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) text += char(c);
  std::fclose(file);
  return text;
}

Written run(const llama::Model& model, const llama::Tokenizer& tokenizer, const llama::Continuation& continuation,
            int threads = 1) {
  std::FILE* const text = std::tmpfile();
  std::FILE* const report = std::tmpfile();
  llama::Workers workers(threads);
  Written written;
  written.status = llama::generate(model, tokenizer, continuation, workers, text, report);
  written.text = contents(text);
  written.report = contents(report);
  return written;
}

}  // namespace

TEST_CASE("the text is the prompt and the tokens that the sampler draws") {
  const llama::Model model = random_model(config_of(qlr::RopePairs::neighbours, 2), false);
  const auto tokenizer = tokenizer_of(letters(14));
  llama::Continuation continuation;
  continuation.prompt = "abc";
  continuation.tokens = 15;
  continuation.temperature = 0.7;
  continuation.seed = 5;
  const Written written = run(model, *tokenizer, continuation);
  REQUIRE(written.status.ok());

  llama::Workers workers;
  llama::Session session(model, workers);
  llama::Sampler sampler(0.7, 0.9, 5);
  const std::vector<int> prompt = tokenizer->encode("abc", true);
  auto logits = session.append({prompt.data(), qlr::Index(prompt.size())});
  std::string expected = "?abc";  // there is no token for the space in front
  int tokens = 0;
  while (tokens < 15) {
    const int token = sampler.draw(*logits);
    ++tokens;
    if (token == 1 || token == 2) break;
    expected += tokenizer->decode(3, token);
    logits = session.append({&token, 1});
  }
  CHECK(written.text == expected + "\n");
  CHECK(written.report.find("prompt: 5 tokens, ") == 0);
  CHECK(written.report.find("\ngenerated: " + std::to_string(tokens) + " tokens, ") != std::string::npos);
  CHECK(run(model, *tokenizer, continuation, 3).text == written.text);
}

TEST_CASE("a text ends where the model's positions do") {
  llama::Model model = random_model(config_of(qlr::RopePairs::halves, 4), true);
  const auto tokenizer = tokenizer_of(letters(14));
  // neither BOS nor EOS is ever most probable
  for (const int token : {1, 2})
    std::memcpy(const_cast<float*>(model.embedding.row(token)), model.embedding.row(0), 12 * sizeof(float));
  llama::Continuation continuation;
  continuation.temperature = 0;
  const Written written = run(model, *tokenizer, continuation);
  REQUIRE(written.status.ok());
  CHECK(written.report.find("generated: 24 tokens, ") != std::string::npos);  // 23 behind BOS were read
  continuation.tokens = 0;
  CHECK(run(model, *tokenizer, continuation).text == "\n");
}

TEST_CASE("what does not fit the model is refused") {
  const llama::Model model = random_model(config_of(qlr::RopePairs::halves, 4), true);
  const auto message = [&](const llama::Tokenizer& tokenizer, const std::string& prompt) {
    llama::Continuation continuation;
    continuation.prompt = prompt;
    const Written written = run(model, tokenizer, continuation);
    return written.status.ok() ? "" : written.status.error().message;
  };
  CHECK(message(*tokenizer_of(letters(15)), "") ==
        "expected a tokenizer of at most 17 tokens, as the model has, got 18");
  CHECK(message(*tokenizer_of(letters(14)), std::string(30, 'a')) == "expected at most 24 tokens, got 32");
  llama::GgufTokens gguf;
  gguf.model = "gpt2";
  gguf.tokens = {"a"};
  CHECK(message(**llama::make_gguf_tokenizer(gguf), "") ==
        "expected a prompt, as the tokenizer has no token that begins a text");
}

TEST_CASE("a model's tokenizer is found beside it") {
  const TemporaryDirectory directory;
  const auto write = [&](const std::string& name, const std::string& bytes) {
    std::ofstream(directory.file(name), std::ios::binary) << bytes;
  };
  // llama2.c: a model of no sense, with 20 tokens
  FileBytes model;
  for (const int value : {4, 4, 1, 1, 1, 20, 8}) model.i32(value);
  constexpr int floats = 20 * 4 + 4 + 4 * 16 + 4 + 3 * 16 + 4 + 8 * 4;
  for (int i = 0; i < floats; ++i) model.real(0.25f);
  write("model.bin", model.bytes());
  const auto checkpoint = qlr::Checkpoint::open(directory.file("model.bin"));
  REQUIRE_MESSAGE(checkpoint.ok(), (checkpoint.ok() ? "" : checkpoint.error().message));
  const auto found = [&] { return llama::find_tokenizer(directory.file("model.bin"), *checkpoint); };

  REQUIRE(!found().ok());
  CHECK(found().error().message.find("expected a tokenizer, ") == 0);
  CHECK(found().error().message.find("tok20.bin, got none of these") != std::string::npos);
  write("tok20.bin", letters(1));
  CHECK((*found())->vocabulary() == 4);
  write("tokenizer.bin", letters(2));
  CHECK((*found())->vocabulary() == 5);
  write("tokenizer.json", R"({"model": {"vocab": {"a": 0, "b": 1}}})");
  CHECK((*found())->vocabulary() == 2);
  CHECK((*found())->eos() == -1);
  write("tokenizer_config.json", R"({"eos_token": "b"})");
  CHECK((*found())->eos() == 1);
  write("tokenizer.json", "{");
  REQUIRE(!found().ok());
  CHECK(found().error().message.find("tokenizer.json: expected") != std::string::npos);

  const auto loaded = llama::load_model(*checkpoint);
  REQUIRE(loaded.ok());
  CHECK(loaded->blocks.size() == 1);
  CHECK(loaded->blocks[0].down->rows() == 4);
  CHECK(&loaded->output() == &loaded->embedding);
}
