/*
 * The functions of cuBLASLt that the backend calls, as far as it uses them: d = alpha a' b + beta c,
 * with a transposed and columns first, factors in BF16 and sums in F32. What is asked for besides is
 * refused.
 */
#include "fibres.h"

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status { OK = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };

constexpr int COMPUTE_32F = 68;
constexpr int TYPE_32F = 0;
constexpr int TYPE_16BF = 14;
constexpr int TRANSA = 3;

struct Desc {
  int transposed;
};

struct Layout {
  int type;
  uint64_t rows;
  uint64_t columns;
  int64_t leading;
};

struct Preference {
  uint64_t workspace;
};

/* sizeof(cublasLtMatmulHeuristicResult_t) */
struct Result {
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

bool fits(const Layout& a, const Layout& b, const Layout& d) {
  return a.type == TYPE_16BF && b.type == TYPE_16BF && d.type == TYPE_32F && a.rows == b.rows &&
         d.rows == a.columns && d.columns == b.columns;
}

float bfloat(unsigned short bits) { return __uint_as_float((unsigned)bits << 16); }

}  // namespace

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() { return 120400; }

API cublasLtCreate(void** handle) {
  *handle = new int(0);
  emu_count_object(1);
  return OK;
}

API cublasLtDestroy(int* handle) {
  delete handle;
  emu_count_object(-1);
  return OK;
}

API cublasLtMatmulDescCreate(Desc** desc, int compute, int scale) {
  *desc = new Desc();
  emu_count_object(1);
  return compute == COMPUTE_32F && scale == TYPE_32F ? OK : NOT_SUPPORTED;
}

API cublasLtMatmulDescSetAttribute(Desc* desc, int attribute, const int* value, size_t bytes) {
  if (attribute != TRANSA || bytes != sizeof(int)) {
    return INVALID_VALUE;
  }
  desc->transposed = *value;
  return OK;
}

API cublasLtMatmulDescDestroy(Desc* desc) {
  delete desc;
  emu_count_object(-1);
  return OK;
}

API cublasLtMatrixLayoutCreate(Layout** layout, int type, uint64_t rows, uint64_t columns,
                               int64_t leading) {
  *layout = new Layout{type, rows, columns, leading};
  emu_count_object(1);
  return OK;
}

API cublasLtMatrixLayoutDestroy(Layout* layout) {
  delete layout;
  emu_count_object(-1);
  return OK;
}

API cublasLtMatmulPreferenceCreate(Preference** preference) {
  *preference = new Preference();
  emu_count_object(1);
  return OK;
}

API cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value,
                                         size_t bytes) {
  if (attribute == 1 && bytes == 8) {
    memcpy(&preference->workspace, value, 8);
    return OK;
  }
  return attribute >= 5 && attribute <= 8 && bytes == 4 ? OK : INVALID_VALUE;
}

API cublasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  emu_count_object(-1);
  return OK;
}

API cublasLtMatmulAlgoGetHeuristic(void*, Desc* desc, Layout* a, Layout* b, Layout*, Layout* d,
                                   Preference*, int wanted, Result* results, int* count) {
  *count = 0;
  /* Eight outputs: for tests of sizes that the library refuses. */
  if (wanted < 1 || desc->transposed != 1 || !fits(*a, *b, *d) || d->rows == 8) {
    return NOT_SUPPORTED;
  }
  results[0] = Result();
  results[0].algorithm[0] = 42;
  *count = 1;
  return OK;
}

API cublasLtMatmul(void*, Desc* desc, const float* alpha, const unsigned short* a, Layout* la,
                   const unsigned short* b, Layout* lb, const float* beta, const float* c, Layout*,
                   float* d, Layout* ld, const Result* algorithm, void*, size_t, void* stream) {
  if (desc->transposed != 1 || !fits(*la, *lb, *ld) || algorithm->algorithm[0] != 42 || c != d) {
    return INVALID_VALUE;
  }
  Layout wa = *la;
  Layout wb = *lb;
  Layout wd = *ld;
  float product_factor = *alpha;
  float old_factor = *beta;
  emu_enqueue(stream, [=] {
    for (uint64_t column = 0; column < wd.columns; column++) {
      for (uint64_t row = 0; row < wd.rows; row++) {
        float sum = 0;
        for (uint64_t k = 0; k < wa.rows; k++) {
          sum += bfloat(a[row * wa.leading + k]) * bfloat(b[column * wb.leading + k]);
        }
        float* to = d + column * wd.leading + row;
        *to = product_factor * sum + (old_factor == 0 ? 0 : old_factor * *to);
      }
    }
  });
  return OK;
}
