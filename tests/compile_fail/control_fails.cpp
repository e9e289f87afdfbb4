// expect: the sentence
// standard: 17
// Shows that the harness sees the compiler's message.
static_assert(sizeof(int) == 1, "the sentence");
