// Early return of errors.
#pragma once

#include "slipway/result.h"

#define SLIPWAY_CONCAT_INNER(a, b) a##b
#define SLIPWAY_CONCAT(a, b) SLIPWAY_CONCAT_INNER(a, b)

// Returns the error of `expression`, a Status or Result, from the calling function.
#define SLIPWAY_RETURN_IF_ERROR(expression)                         \
  do {                                                              \
    if (auto slipway_status = (expression); !slipway_status.ok()) { \
      return slipway_status.error();                                \
    }                                                               \
  } while (false)

// SLIPWAY_ASSIGN_OR_RETURN(auto x, f()): x is f()'s value, or f()'s error is returned.
#define SLIPWAY_ASSIGN_OR_RETURN(declaration, expression) \
  SLIPWAY_ASSIGN_OR_RETURN_INNER(SLIPWAY_CONCAT(slipway_result_, __LINE__), declaration, expression)
#define SLIPWAY_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                           \
  if (!result.ok()) return result.error();                              \
  declaration = std::move(result).value()
