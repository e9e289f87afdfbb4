#include "generate.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "sampler.hpp"
#include "session.hpp"

namespace llama {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

/// Writes tokens as text, as they come.
class TokenWriter {
 public:
  TokenWriter(const Tokenizer& tokenizer, std::FILE* file) : tokenizer_(&tokenizer), file_(file) {}

  /// @return whether it could be written
  bool write(int token) {
    const std::string text = token == tokenizer_->bos() ? "" : tokenizer_->decode(previous_, token);
    previous_ = token;
    return std::fwrite(text.data(), 1, text.size(), file_) == text.size() && std::fflush(file_) == 0;
  }

 private:
  const Tokenizer* tokenizer_;
  std::FILE* file_;
  int previous_ = -1;
};

void report_speed(std::FILE* report, const char* what, Index tokens, double seconds) {
  if (tokens == 0 || seconds <= 0) return;
  std::fprintf(report, "%s: %td tokens, %.1f tokens per second\n", what, tokens, double(tokens) / seconds);
}

}  // namespace

qlr::Status generate(const Model& model, const Tokenizer& tokenizer, const Continuation& continuation, Workers& workers,
                     std::FILE* text, std::FILE* report) {
  if (tokenizer.vocabulary() > model.config.vocabulary)
    return qlr::Error{"expected a tokenizer of at most " + std::to_string(model.config.vocabulary) +
                      " tokens, as the model has, got " + std::to_string(tokenizer.vocabulary())};
  const std::vector<int> prompt = tokenizer.encode(continuation.prompt, true);
  if (prompt.empty()) return qlr::Error{"expected a prompt, as the tokenizer has no token that begins a text"};
  const qlr::Error unwritten{"cannot write the text"};

  TokenWriter writer(tokenizer, text);
  for (const int token : prompt)
    if (!writer.write(token)) return unwritten;
  Session session(model, workers);
  Sampler sampler(continuation.temperature, continuation.top_p, continuation.seed);
  const Clock::time_point begin = Clock::now();
  qlr::Result<std::vector<float>> logits = session.append({prompt.data(), Index(prompt.size())});
  if (!logits) return logits.error();
  const double prompt_seconds = seconds_since(begin);

  const Clock::time_point prompt_read = Clock::now();
  Index generated = 0;
  while (generated < continuation.tokens) {
    if (std::any_of(logits->begin(), logits->end(), [](float logit) { return !std::isfinite(logit); }))
      return qlr::Error{"expected finite logits, got others: the model's weights are damaged"};
    const int token = sampler.draw(*logits);
    ++generated;
    if (token == tokenizer.eos() || token == tokenizer.bos()) break;
    if (!writer.write(token)) return unwritten;
    if (generated == continuation.tokens || session.position() == model.config.positions) break;
    logits = session.append({&token, 1});
    if (!logits) return logits.error();
  }
  const double generate_seconds = seconds_since(prompt_read);
  if (std::fputc('\n', text) == EOF || std::fflush(text) != 0) return unwritten;
  report_speed(report, "prompt", Index(prompt.size()), prompt_seconds);
  report_speed(report, "generated", generated, generate_seconds);
  return {};
}

qlr::Status generate(const GenerateSettings& settings) {
  const qlr::Result<qlr::Checkpoint> checkpoint = qlr::Checkpoint::open(settings.model);
  if (!checkpoint) return checkpoint.error();
  const TokenizerResult tokenizer =
      settings.tokenizer.empty() ? find_tokenizer(settings.model, *checkpoint) : load_tokenizer(settings.tokenizer);
  if (!tokenizer) return tokenizer.error();
  const qlr::Result<Model> model = load_model(*checkpoint);
  if (!model) return qlr::Error{settings.model + ": " + model.error().message};
  Workers workers(settings.threads);
  return generate(*model, **tokenizer, settings.continuation, workers, stdout, stderr);
}

}  // namespace llama
