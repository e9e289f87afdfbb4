#pragma once

#include <cassert>

/// Checks an invariant inside the library; never bad input. Define QLR_ASSERT before including to replace it.
#ifndef QLR_ASSERT
#define QLR_ASSERT(condition) assert(condition)
#endif
