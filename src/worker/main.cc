// slipway-worker: runs a module for a process that starts it (runtime/worker.h).

#include "runtime/worker.h"

int main(int argc, char** argv) { return slipway::runtime::run_worker(argc, argv); }
