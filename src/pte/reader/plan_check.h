// One method: its lists, its memory, and then its values and instructions.
#pragma once

#include "pte/reader/tables.h"

namespace slipway::pte {

Status check_plan(const Tables& tables, const fb::ExecutionPlan& plan);
// After all methods: the memory that they may share is no larger than what they put there needs.
Status check_shared_memory(const Tables& tables);

}  // namespace slipway::pte
