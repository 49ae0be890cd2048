// All of Slipway's public API. A program that only runs models includes slipway/module.h alone.
#pragma once

#include "slipway/compile.h"
#include "slipway/cuda.h"
#include "slipway/export.h"
#include "slipway/inspect.h"
#include "slipway/log.h"
#include "slipway/module.h"
#include "slipway/npy.h"
#include "slipway/profile.h"
#include "slipway/program.h"
#include "slipway/result.h"
#include "slipway/tensor.h"
#include "slipway/tree.h"
#include "slipway/tune.h"
#include "slipway/value_info.h"
#include "slipway/version.h"
