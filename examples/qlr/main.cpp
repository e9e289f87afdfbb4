#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include "commands.hpp"
#include "layer_choice.hpp"
#include "llama/generate_settings.hpp"
#include "settings.hpp"

namespace {

constexpr int failed = 1;
constexpr int misused = 2;

/// Reads all of the text as a number. @return whether it is one
template <class Number>
bool parse(const std::string& text, Number& number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

/// Accepts decimal integers of least to most.
template <class Integer>
CLI::Validator integer(Integer least, Integer most) {
  const auto check = [=](std::string& text) -> std::string {
    Integer value{};
    if (parse(text, value) && value >= least && value <= most) {
      text = std::to_string(value);
      return "";
    }
    return "expected an integer of " + std::to_string(least) + " to " + std::to_string(most) + ", got " + text;
  };
  return CLI::Validator(check, "");
}

CLI::Validator positive() {
  const auto check = [](std::string& text) -> std::string {
    double value = 0;
    if (parse(text, value) && std::isfinite(value) && value > 0) return "";
    return "expected a number above 0, got " + text;
  };
  return CLI::Validator(check, "");
}

/// Accepts numbers of 0 to most, and 0 itself only if allowed.
CLI::Validator at_most(double most, bool allows_zero) {
  const auto check = [=](std::string& text) -> std::string {
    double value = 0;
    if (parse(text, value) && value >= 0 && value <= most && (allows_zero || value > 0)) return "";
    const std::string least = allows_zero ? "of 0" : "above 0";
    return "expected a number " + least + " to " + CLI::detail::to_string(most) + ", got " + text;
  };
  return CLI::Validator(check, "");
}

/// @param what is expected
CLI::Validator not_empty(const std::string& what) {
  const auto check = [=](std::string& text) {
    return text.empty() ? "expected " + what + ", got none" : std::string();
  };
  return CLI::Validator(check, "");
}

/// Reads "MxN".
CLI::Validator shape(cli::Settings& settings) {
  const auto check = [&settings](std::string& text) -> std::string {
    constexpr qlr::Index most = 1 << 16;
    const std::size_t x = text.find('x');
    qlr::Index& rows = settings.synthetic_rows;
    qlr::Index& cols = settings.synthetic_cols;
    const bool ok = x != std::string::npos && parse(text.substr(0, x), rows) && parse(text.substr(x + 1), cols) &&
                    rows >= 1 && rows <= most && cols >= 1 && cols <= most;
    return ok ? "" : "expected MxN with M and N of 1 to " + std::to_string(most) + ", got " + text;
  };
  return CLI::Validator(check, "");
}

CLI::App* add_decompose(CLI::App& app, cli::Settings& settings, std::string& synthetic) {
  constexpr int most = std::numeric_limits<int>::max();
  CLI::App* command =
      app.add_subcommand("decompose", "Compress a weight; without --weight, the layer in examples/data");

  command->option_defaults()->always_capture_default();

  CLI::Option* weight = command->add_option("--weight", settings.weight, "W (m,n), .npy")->type_name("FILE");
  CLI::Option* inputs =
      command->add_option("--inputs", settings.inputs, "what the layer received (tokens,n), .npy")->type_name("FILE");
  CLI::Option* hessian =
      command->add_option("--hessian", settings.hessian, "or its second moment (n,n), .npy")->type_name("FILE");
  CLI::Option* made =
      command->add_option("--synthetic", synthetic, "a made-up layer instead of files")->type_name("MxN");
  made->check(shape(settings));
  inputs->needs(weight)->excludes(hessian);
  hessian->needs(weight);
  made->excludes(weight);

  command
      ->add_option("--bits", settings.bits,
                   "bits a weight of all that is stored: chooses what is not given, with none of --q-bits, --grid and "
                   "--group a rate for each column")
      ->transform(positive());
  command->add_option("--q-bits", settings.q_bits, "bits of Q's codes; 0: factors alone [2]")
      ->transform(integer(0, most));
  command->add_option("--grid", settings.grid, "uniform, asymmetric, normal-float, ternary, trellis or e8 [uniform]")
      ->type_name("NAME");
  command
      ->add_option("--group", settings.group,
                   "what shares a scale: tensor, row, column, or 64 of a row [row; column for a trellis]")
      ->type_name("NAME");
  command
      ->add_option("--rank", settings.rank,
                   "columns of L; 0: Q alone [with --bits what loses least; else 32, or min(m,n)]")
      ->transform(integer<qlr::Index>(0, 1 << 20));
  command
      ->add_option(
          "--factor-bits", settings.factor_bits,
          "bits of L's and R's codes; 1 to 8, or 16 [with --bits what loses least, in L for each column; else 4]")
      ->transform(integer(0, most));
  const auto set_rotate = [&settings](bool value) { return [&settings, value] { settings.rotate = value; }; };
  CLI::Option* rotate = command->add_flag_callback("--rotate", set_rotate(true), "rotate at random (the default)");
  command->add_flag_callback("--no-rotate", set_rotate(false), "do not")->excludes(rotate);

  command
      ->add_option("--damping", settings.damping,
                   "added to H's diagonal, as a fraction of its mean [.03; with --bits by held-out inputs, or .01]")
      ->transform(positive());
  command
      ->add_option("--iterations", settings.iterations,
                   "alternations of Q with L and R [15]; descents of Q at a rate for each column [1]")
      ->transform(integer(1, most));
  command->add_option("--seed", settings.seed, "of everything random")
      ->transform(integer<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()));
  command->add_option("--threads", settings.threads, "the result is the same for any number")
      ->transform(integer(1, 1024));
  command->add_option("--save", settings.save, "where to write the layer, .safetensors")->type_name("FILE");
  command->add_flag("--json", settings.json, "report in JSON");

  command->callback([=] {
    if (*weight && !*inputs && !*hessian)
      throw CLI::ValidationError("--weight", "expected --inputs or --hessian with it, got neither");
  });
  return command;
}

/// What goes with any model. @return --matrices
CLI::Option* add_matrices(CLI::App* command, cli::CompressSettings& settings) {
  CLI::Option* matrices =
      command
          ->add_option("--matrices", settings.matrices,
                       "of any model those with a part of the name that matches, ECMAScript; without a text")
          ->type_name("REGEX")
          ->check(not_empty("an expression"));
  CLI::Option* inputs = command
                            ->add_option("--inputs", settings.inputs,
                                         "what they received, (tokens,n) in a file NAME.npy for each [all alike]")
                            ->type_name("FOLDER")
                            ->check(not_empty("a path"));
  CLI::Option* importance =
      command->add_option("--importance", settings.importance, "or llama.cpp's importance matrix, .gguf")
          ->type_name("FILE")
          ->check(not_empty("a path"));
  CLI::Option* transposed =
      command->add_flag("--transposed", settings.transposed, "the file has them as (inputs, outputs)");
  inputs->needs(matrices)->excludes(importance);
  importance->needs(matrices);
  transposed->needs(matrices);
  return matrices;
}

/// What Open MPI's mpirun or Slurm's srun says that this process is, as --shard would; empty for one process.
std::string shard_of_launcher() {
  // the number of a step's tasks, since SLURM_NTASKS is that of a batch script too, which is one process
  for (const auto& [rank, size] :
       {std::pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), std::pair("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")}) {
    const char* const number = std::getenv(rank);
    const char* const count = std::getenv(size);
    if (number != nullptr && count != nullptr && std::string(count) != "1") return std::string(number) + "/" + count;
  }
  return "";
}

CLI::App* add_compress(CLI::App& app, cli::CompressSettings& settings, std::string& shard) {
  constexpr qlr::Index most_tokens = 1 << 30;
  CLI::App* command = app.add_subcommand(
      "compress", "Compress the matrices of a model: all of a Llama model's blocks, or what --matrices names");
  command->option_defaults()->always_capture_default();
  command->add_option("--model", settings.model, "llama2.c's .bin, .gguf, .safetensors, or a folder of the latter")
      ->required()
      ->type_name("FILE");
  CLI::Option* tokenizer =
      command->add_option("--tokenizer", settings.tokenizer, "tokenizer.json or llama2.c's .bin [beside the model]")
          ->type_name("FILE");
  CLI::Option* text =
      command->add_option("--calibration", settings.calibration, "a text to calibrate on")->type_name("FILE");
  CLI::Option* self = command
                          ->add_option("--self-calibrate", settings.self_tokens,
                                       "instead of a text, so many tokens that the model says itself")
                          ->transform(integer<qlr::Index>(1, most_tokens));
  self->excludes(text);
  CLI::Option* tokens = command->add_option("--tokens", settings.tokens, "of the text, at most")
                            ->transform(integer<qlr::Index>(1, most_tokens));
  CLI::Option* matrices = add_matrices(command, settings);
  for (CLI::Option* of_text : {tokenizer, text, self, tokens}) matrices->excludes(of_text);
  command->add_option("--output", settings.output, "where to write the model, .safetensors")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--bits", settings.bits,
                   "bits a weight of all that is stored, on average over the matrices, other tensors apart")
      ->transform(positive());
  command->add_option("--method", settings.method, "rates, or for comparison one of caldera, e8, ldlq, lorc, nearest")
      ->type_name("NAME");
  command->add_flag("--uniform", settings.uniform, "the same bits for every matrix");
  command
      ->add_option("--parts", settings.folder,
                   "a folder for finished matrices, from which a run that was ended goes on [OUTPUT.parts]")
      ->type_name("FOLDER");
  command
      ->add_option("--shard", shard,
                   "I/N: be the I-th of N processes, counted from 0, that share the folder; the first writes the model "
                   "[as mpirun or srun has started it]")
      ->type_name("I/N");
  command->add_option("--seed", settings.seed, "of everything random")
      ->transform(integer<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()));
  command->add_option("--threads", settings.threads, "the result is the same for any number")
      ->transform(integer(1, 1024));
  command->add_flag("--json", settings.json, "report in JSON");
  command->callback([=, &settings, &shard] {
    if (!*text && !*self && !*matrices)
      throw CLI::ValidationError("--calibration", "expected it or --self-calibrate, got neither");
    if (shard.empty()) shard = shard_of_launcher();
    if (shard.empty()) return;
    const std::size_t slash = shard.find('/');
    if (slash == std::string::npos || !parse(shard.substr(0, slash), settings.shard) ||
        !parse(shard.substr(slash + 1), settings.shards) || settings.shard < 0 || settings.shard >= settings.shards)
      throw CLI::ValidationError("--shard", "expected I/N with I of 0 to N - 1, got " + shard);
  });
  return command;
}

CLI::App* add_eval(CLI::App& app, cli::EvalSettings& settings) {
  CLI::App* command = app.add_subcommand("eval", "Measure a model's predictions, and what its compressed form lost");
  command->option_defaults()->always_capture_default();
  command->add_option("--model", settings.model, "the original: llama2.c's .bin, .gguf, .safetensors, or a folder")
      ->required()
      ->type_name("FILE");
  command->add_option("--tokenizer", settings.tokenizer, "tokenizer.json or llama2.c's .bin [beside the model]")
      ->type_name("FILE");
  command->add_option("--compressed", settings.compressed, "what qlr compress made of it, or another model")
      ->type_name("FILE");
  CLI::Option* text = command->add_option("--text", settings.text, "to predict")->type_name("FILE");
  CLI::Option* self = command
                          ->add_option("--self-text", settings.self_tokens,
                                       "instead of a text, so many tokens that the original says itself")
                          ->transform(integer<qlr::Index>(1, 1 << 30));
  self->excludes(text);
  command->add_option("--seed", settings.seed, "of these")
      ->transform(integer<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()));
  command->add_option("--tokens", settings.tokens, "of the text, at most")->transform(integer<qlr::Index>(1, 1 << 30));
  command->add_option("--threads", settings.threads)->transform(integer(1, 1024));
  command->add_flag("--json", settings.json, "report in JSON");
  command->callback([=] {
    if (!*text && !*self) throw CLI::ValidationError("--text", "expected it or --self-text, got neither");
  });
  return command;
}

CLI::App* add_generate(CLI::App& app, llama::GenerateSettings& settings) {
  CLI::App* command = app.add_subcommand("generate", "Continue a text by a model of the Llama architecture");
  command->option_defaults()->always_capture_default();
  llama::Continuation& continuation = settings.continuation;
  command->add_option("--model", settings.model, "llama2.c's .bin, .gguf, .safetensors, or a folder of the latter")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--tokenizer", settings.tokenizer,
                   "tokenizer.json, llama2.c's .bin, or .gguf [inside of a .gguf; else beside the model: "
                   "tokenizer.json, tokenizer.bin, or tokN.bin for N tokens]")
      ->type_name("FILE");
  command->add_option("--prompt", continuation.prompt, "what the text begins with")->type_name("TEXT");
  command->add_option("--tokens", continuation.tokens, "how many to generate, at most")
      ->transform(integer<qlr::Index>(0, 1 << 28));
  command->add_option("--temperature", continuation.temperature, "0: always the most probable token")
      ->transform(at_most(1000, true));
  command->add_option("--top-p", continuation.top_p, "the share of the most probable tokens that are drawn from")
      ->transform(at_most(1, false));
  command->add_option("--seed", continuation.seed, "of the tokens drawn")
      ->transform(integer<std::uint64_t>(0, std::numeric_limits<std::uint64_t>::max()));
  command->add_option("--threads", settings.threads, "the text is the same for any number")
      ->transform(integer(1, 1024));
  return command;
}

int run(int argc, char** argv) {
  CLI::App app("Compresses weight matrices to Q + L R, low precision plus low rank.", "qlr");
  app.set_version_flag("--version", "qlr " QLR_VERSION);
  app.require_subcommand(1);

  cli::Settings settings;
  std::string synthetic;
  CLI::App* decompose = add_decompose(app, settings, synthetic);

  std::string file;
  std::string output;
  std::string matrix;
  CLI::App* decode = app.add_subcommand("decode", "Write a stored layer's matrix: .npy, float32, C order");
  decode->add_option("file", file, ".safetensors, of a layer or a model")->required()->type_name("FILE");
  decode->add_option("--matrix", matrix, "which of a model's")->type_name("NAME");
  decode->add_option("--output", output, "where to write it")->required()->type_name("FILE");
  CLI::App* info = app.add_subcommand("info", "Describe a stored layer or model");
  info->add_option("file", file, ".safetensors")->required()->type_name("FILE");
  llama::GenerateSettings generate_settings;
  CLI::App* generate = add_generate(app, generate_settings);

  cli::CompressSettings compress_settings;
  std::string shard;
  CLI::App* compress = add_compress(app, compress_settings, shard);
  cli::EvalSettings eval_settings;
  CLI::App* eval = add_eval(app, eval_settings);

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    std::fprintf(stderr, "qlr: %s\n", wrong.what());
    return misused;
  }

  try {
    const std::string text = *decompose  ? cli::decompose(settings)
                             : *decode   ? cli::decode(file, matrix, output)
                             : *compress ? cli::compress(compress_settings)
                             : *eval     ? cli::evaluate(eval_settings)
                             : *generate ? cli::generate(generate_settings)
                                         : cli::info(file);
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) != 0)
      throw std::system_error(errno, std::generic_category(), "cannot write standard output");
    return 0;
  } catch (const cli::UsageError& wrong) {
    std::fprintf(stderr, "qlr: %s\n", wrong.what());
    return misused;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "qlr: expected more memory than there is\n");
    return failed;
  } catch (const std::exception& wrong) {
    std::fprintf(stderr, "qlr: %s\n", wrong.what());
    return failed;
  }
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
