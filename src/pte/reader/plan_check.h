// One method: its lists, its memory, and then its values and instructions.
#pragma once

#include "pte/reader/tables.h"

namespace slipway::pte {

Status check_plan(const Tables& tables, const fb::ExecutionPlan& plan);

}  // namespace slipway::pte
