// Runs a model that is a shared library as a program in C does that opens it by itself, and
// compares what it gives with what PyTorch gave, if that is given. usage: run_model MODEL.so CALLS
// [TYPE=FILE.npy | integer=N | number=X | boolean=0|1 | text=T | none]...
//        [-- as many outputs]

#include <dlfcn.h>
#include <malloc.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <slipway/slipway_model.h>

#include "../check.h"

// The functions of one model.
static struct {
  __typeof__(slipway_model_error_message)* error_message;
  __typeof__(slipway_model_load)* load;
  __typeof__(slipway_model_free)* free;
  __typeof__(slipway_model_method)* method;
  __typeof__(slipway_model_method_free)* method_free;
  __typeof__(slipway_model_input_count)* input_count;
  __typeof__(slipway_model_output_count)* output_count;
  __typeof__(slipway_model_run)* run;
  __typeof__(slipway_model_tensor_borrow)* tensor_borrow;
  __typeof__(slipway_model_values_free)* values_free;
} model;

static void* open_model(const char* path) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
#define FIND(name) CHECK((*(void**)& model.name = dlsym(library, "slipway_model_" #name)) != NULL)
  FIND(error_message);
  FIND(load);
  FIND(free);
  FIND(method);
  FIND(method_free);
  FIND(input_count);
  FIND(output_count);
  FIND(run);
  FIND(tensor_borrow);
  FIND(values_free);
  return library;
}

static void check(slipway_model_error* error) {
  if (error == NULL) return;
  fprintf(stderr, "%s\n", model.error_message(error));
  exit(1);
}

enum { kMost = 16 };

// Of a .npy file of version 1; the bytes are the caller's.
static char* read_npy(const char* path, int64_t* sizes, int32_t* rank, size_t* size) {
  FILE* const file = fopen(path, "rb");
  if (file == NULL) fprintf(stderr, "%s does not open\n", path);
  CHECK(file != NULL);
  char start[10];
  CHECK(fread(start, 1, sizeof(start), file) == sizeof(start));
  const size_t length = (size_t)(unsigned char)start[8] | (size_t)(unsigned char)start[9] << 8;
  char* const header = calloc(length + 1, 1);
  CHECK(fread(header, 1, length, file) == length);
  CHECK(strstr(header, "'fortran_order': False") != NULL);
  const char* at = strstr(header, "'shape': (");
  CHECK(at != NULL);
  at += strlen("'shape': (");
  for (*rank = 0; *at != ')' && *rank < kMost; ++*rank) {
    char* end = NULL;
    sizes[*rank] = strtoll(at, &end, 10);
    at = end + strspn(end, ", ");
  }
  free(header);
  const long begin = ftell(file);
  CHECK(fseek(file, 0, SEEK_END) == 0);
  *size = (size_t)(ftell(file) - begin);
  CHECK(fseek(file, begin, SEEK_SET) == 0);
  char* const bytes = malloc(*size + 1);
  CHECK(fread(bytes, 1, *size, file) == *size);
  fclose(file);
  return bytes;
}

static slipway_value read_value(char* text, void** memory) {
  slipway_value value = {SLIPWAY_NONE, {NULL}};
  char* const equals = strchr(text, '=');
  if (equals == NULL) return value;
  const size_t length = (size_t)(equals - text);
  if (strncmp(text, "integer", length) == 0) {
    value.kind = SLIPWAY_INTEGER;
    value.as.integer = atoll(equals + 1);
  } else if (strncmp(text, "number", length) == 0) {
    value.kind = SLIPWAY_NUMBER;
    value.as.number = atof(equals + 1);
  } else if (strncmp(text, "text", length) == 0) {
    value.kind = SLIPWAY_TEXT;
    value.as.text = equals + 1;
  } else if (strncmp(text, "boolean", length) == 0) {
    value.kind = SLIPWAY_BOOLEAN;
    value.as.boolean = equals[1] == '1';
  } else {
    char type[32] = "";
    CHECK(length < sizeof(type));
    memcpy(type, text, length);
    int64_t sizes[kMost];
    int32_t rank = 0;
    size_t size = 0;
    *memory = read_npy(equals + 1, sizes, &rank, &size);
    value.kind = SLIPWAY_TENSOR;
    check(model.tensor_borrow(type, sizes, rank, *memory, &value.as.tensor));
  }
  return value;
}

static void check_near(double found, double expected) {
  if (isnan(found) && isnan(expected)) return;
  if (found == expected || fabs(found - expected) <= 1e-5 + 1e-5 * fabs(expected)) return;
  fprintf(stderr, "%.9g, and PyTorch has %.9g\n", found, expected);
  exit(1);
}

static void check_same(const slipway_value* found, const slipway_value* expected, size_t index) {
  if (found->kind != expected->kind) {
    fprintf(stderr, "output %zu is of kind %d, not %d\n", index, found->kind, expected->kind);
    exit(1);
  }
  if (found->kind != SLIPWAY_TENSOR) return;
  const DLTensor* const a = &found->as.tensor->dl_tensor;
  const DLTensor* const b = &expected->as.tensor->dl_tensor;
  CHECK(a->ndim == b->ndim && a->dtype.code == b->dtype.code && a->dtype.bits == b->dtype.bits);
  size_t count = 1;
  for (int32_t i = 0; i < a->ndim; ++i) {
    CHECK(a->shape[i] == b->shape[i]);
    count *= (size_t)a->shape[i];
  }
  if (a->dtype.code == kDLFloat && a->dtype.bits == 32) {
    for (size_t i = 0; i < count; ++i) check_near(((float*)a->data)[i], ((float*)b->data)[i]);
  } else if (a->dtype.code == kDLFloat && a->dtype.bits == 64) {
    for (size_t i = 0; i < count; ++i) check_near(((double*)a->data)[i], ((double*)b->data)[i]);
  } else if (a->dtype.code != kDLFloat && a->dtype.code != kDLBfloat) {
    CHECK(memcmp(a->data, b->data, count * a->dtype.bits / 8) == 0);
  }
}

static void forget_text(slipway_value* value) {
  if (value->kind == SLIPWAY_TEXT) value->kind = SLIPWAY_NONE;
}

static void run(int calls, char** inputs, size_t input_count, char** outputs, size_t output_count) {
  slipway_module* module = NULL;
  slipway_method* method = NULL;
  check(model.load(NULL, 0, NULL, NULL, &module));
  check(model.method(module, NULL, &method));
  model.free(module);  // the method keeps what it needs
  CHECK(model.input_count(method) == input_count);
  slipway_value given[kMost];
  slipway_value found[kMost];
  slipway_value expected[kMost];
  void* memory[2 * kMost] = {NULL};
  CHECK(input_count <= kMost && model.output_count(method) <= kMost);
  for (size_t i = 0; i < input_count; ++i) given[i] = read_value(inputs[i], &memory[i]);
  for (size_t i = 0; i < output_count; ++i) {
    expected[i] = read_value(outputs[i], &memory[kMost + i]);
  }
  const size_t found_count = model.output_count(method);
  CHECK(output_count == 0 || output_count == found_count);
  size_t before = 0;
  for (int call = 0; call < calls; ++call) {
    check(model.run(method, given, input_count, found, found_count));
    for (size_t i = 0; call == 0 && i < output_count; ++i) check_same(&found[i], &expected[i], i);
    model.values_free(found, found_count);
    if (call == calls / 2) before = mallinfo2().uordblks;
  }
  // The second half of the calls has left nothing behind.
  CHECK(calls < 100 || mallinfo2().uordblks <= before + 16384);
  // Texts are those of the command line.
  for (size_t i = 0; i < input_count; ++i) forget_text(&given[i]);
  for (size_t i = 0; i < output_count; ++i) forget_text(&expected[i]);
  model.values_free(given, input_count);
  model.values_free(expected, output_count);
  model.method_free(method);
  for (size_t i = 0; i < 2 * kMost; ++i) free(memory[i]);
}

int main(int argc, char** argv) {
  CHECK(argc >= 3);
  char** const inputs = argv + 3;
  size_t input_count = (size_t)argc - 3;
  size_t output_count = 0;
  for (size_t i = 0; i < input_count; ++i) {
    if (strcmp(inputs[i], "--") != 0) continue;
    output_count = input_count - i - 1;
    input_count = i;
  }
  // Opened, closed, and opened again.
  for (int time = 0; time < 2; ++time) {
    void* const library = open_model(argv[1]);
    run(atoi(argv[2]), inputs, input_count, inputs + input_count + 1, output_count);
    CHECK(dlclose(library) == 0);
  }
  return 0;
}
