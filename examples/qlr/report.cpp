#include "report.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "qlr/io/json.hpp"

namespace cli {

namespace {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string print(const char* format, ...) {
  std::array<char, 512> buffer;
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  va_end(arguments);
  return buffer.data();
}

/// The shortest digits that are read back as the same number.
std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  std::array<char, 32> buffer;
  return {buffer.data(), std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr};
}

std::string string(const std::string& text) {
  std::string out;
  qlr::append_json(out, text);
  return out;
}

}  // namespace

std::string to_json(const Summary& summary) {
  const qlr::Report& report = summary.report;
  std::string stages;
  for (const qlr::ReportedStage& stage : report.stages)
    stages += (stages.empty() ? "" : ", ") + string(stage.stage) + ": " + number(stage.seconds);
  std::string iterations;
  for (const qlr::ReportedStep& step : report.iterations)
    iterations += std::string(iterations.empty() ? "" : ",") + "\n    {\"step\": " + string(step.step) +
                  ", \"loss\": " + number(step.loss) + "}";
  return "{\n  \"rows\": " + std::to_string(summary.rows) +  //
         ",\n  \"cols\": " + std::to_string(summary.cols) +  //
         ",\n  \"bits_per_weight\": " + number(report.bits_per_weight) +
         ",\n  \"relative_proxy_loss\": " + number(report.relative_proxy_loss) +
         ",\n  \"relative_frobenius_error\": " + number(report.relative_frobenius_error) +
         ",\n  \"held_out_loss\": " + (report.held_out_loss ? number(*report.held_out_loss) : "null") +
         ",\n  \"shrinkage\": {\"diagonal\": " + number(report.shrinkage.diagonal) +
         ", \"damping\": " + number(report.shrinkage.damping) + "}" +
         ",\n  \"seconds\": " + number(report.seconds) +  //
         ",\n  \"stages\": {" + stages + "}" +            //
         ",\n  \"iterations\": [" + iterations + "\n  ]\n}\n";
}

std::string to_text(const Summary& summary) {
  const qlr::Report& report = summary.report;
  std::string text = summary.source + print(": %td x %td\n", summary.rows, summary.cols);
  text += "stored as                 " + summary.type + "\n";
  text += print("bits per weight           %.4f\n", report.bits_per_weight);
  text += print("relative proxy loss       %.5f\n", report.relative_proxy_loss);
  if (report.held_out_loss) text += print("  on inputs held out, est. %.5f\n", *report.held_out_loss);
  text += print("relative Frobenius error  %.5f\n", report.relative_frobenius_error);
  text += print("seconds                   %.2f", report.seconds);
  for (const qlr::ReportedStage& stage : report.stages)
    text += (&stage == &report.stages.front() ? ": " : ", ") + stage.stage + print(" %.2f", stage.seconds);
  const Glimpse& product = summary.product;
  text += print("\nproduct y = What x        %.1f us from the stored bytes (%s), %.1f us by the decoded float matrix\n",
                1e6 * product.layer_seconds, product.isa, 1e6 * product.float_seconds);
  text += print(
      "                          relative difference %.1e, x not rounded; one vector, one thread: a "
      "glimpse, no benchmark\n",
      product.relative_difference);
  if (!summary.saved.empty()) text += "saved                     " + summary.saved + "\n";
  return text;
}

ProgressLine::ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(const qlr::ReportedStep& step, int done, int of) {
  if (!terminal_) return;
  clear();
  std::fprintf(stderr, "%d of %d half steps, %s: relative proxy loss %.5f", done, of, step.step.c_str(), step.loss);
  std::fflush(stderr);
}

void ProgressLine::clear() {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace cli
