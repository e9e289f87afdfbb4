#include <cstdio>
#include <cstdlib>

namespace {

/// Ends the program with ctest's code for "skipped" on a CPU that lacks the instructions its tests are compiled for.
/// Before all static initialization, since that of the tests may use these instructions already.
[[gnu::constructor(101)]] void skip_without_cpu_support() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
#endif
  if (QLR_CPU_HAS_ARCH) return;
  std::puts("skipped: this CPU lacks the instruction set");
  std::fflush(stdout);
  std::_Exit(77);
}

}  // namespace
