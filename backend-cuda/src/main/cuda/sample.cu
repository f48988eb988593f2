/*
 * Draws a token from each row of logits [rows, width], as dev.llama.spi.Draw defines: out [rows].
 * Nothing is sorted. Logits fall into bins by their distance from the largest; the bins that can
 * hold a kept candidate, a few hundred logits as a rule, are copied to a list, in any order; one
 * block finds the bounds of top-k and top-p in it, and then the token, digit by digit.
 *   sample_tops:  the largest logit of each part of each row; clears the bins
 *   sample_bins:  candidates of each bin (with top-k) or their weight (with top-p)
 *   sample_list:  candidates of the bins that matter
 *   sample_token: out
 * Launch: grid (parts, rows) of 256 threads with up to 64 parts; sample_token (1, rows) of 512.
 * rows: struct Row, one for each; list: struct Candidate [rows, width].
 */
#include "draw.cuh"

constexpr int BINS = 2048;
constexpr int BINS_PER_UNIT = 64; /* of logits: the last bin holds what is 32 away and more */
constexpr int DIGIT_BITS = 11;    /* BINS values */
constexpr int MAX_PARTS = 64;

/* What the kernels tell one another of a row. */
struct Row {
  u64 bins[BINS];
  float tops[MAX_PARTS];
  int listed;
  int unused;
};

struct Candidate {
  float logit;
  int id;
};

struct Part {
  int begin, end;
};

DEVICE Part own_part(int width) {
  int length = (width + gridDim.x - 1) / gridDim.x;
  int begin = min((int)blockIdx.x * length, width);
  return {begin, min(begin + length, width)};
}

/* The largest logit; infinite, of either sign, if there is nothing to draw. */
DEVICE float row_top(const Row& row, int parts) {
  float top = -INFINITY;
  for (int i = threadIdx.x; i < parts; i += blockDim.x) {
    top = fmaxf(top, row.tops[i]);
  }
  return block_max(top);
}

DEVICE int bin_of(float distance) { return (int)fminf(distance * BINS_PER_UNIT, BINS - 1); }

/* Whether bins say where the list ends. */
DEVICE bool uses_bins(const Draw& draw) { return draw.top_k > 0 || draw.top_p < 1; }

extern "C" __global__ void sample_tops(Row* rows, const float* logits, int width) {
  Row& row = rows[blockIdx.y];
  const float* x = logits + (size_t)blockIdx.y * width;
  Part part = own_part(width);
  float top = -INFINITY;
  for (int i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    top = fmaxf(top, x[i] < INFINITY ? x[i] : INFINITY); /* also of NaN */
  }
  top = block_max(top);
  if (threadIdx.x == 0) {
    row.tops[blockIdx.x] = top;
    row.listed = 0;
  }
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < BINS; i += gridDim.x * blockDim.x) {
    row.bins[i] = 0;
  }
}
KERNEL(sample_tops)

extern "C" __global__ void sample_bins(Row* rows, const float* logits, const Draw* draws,
                                       int width) {
  __shared__ u64 bins[BINS];
  Row& row = rows[blockIdx.y];
  const Draw draw = draws[blockIdx.y];
  const float* x = logits + (size_t)blockIdx.y * width;
  float top = row_top(row, gridDim.x);
  if (isinf(top) || !uses_bins(draw)) {
    return;
  }
  for (int i = threadIdx.x; i < BINS; i += blockDim.x) {
    bins[i] = 0;
  }
  __syncthreads();
  Part part = own_part(width);
  for (int i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    float distance = top - x[i];
    u64 amount = draw.top_k > 0 ? x[i] > -INFINITY : draw_weight(-distance);
    if (amount > 0) {
      atomicAdd(&bins[bin_of(distance)], amount);
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < BINS; i += blockDim.x) {
    if (bins[i] > 0) {
      atomicAdd(&row.bins[i], bins[i]);
    }
  }
}
KERNEL(sample_bins)

/* Where running sums reach a target. */
struct Found {
  int bin;
  u64 before; /* sum of the bins before it */
  u64 total;  /* sum of all */
};

/* Finds the first bin at which the running sum is target(total), or the last that is not empty.
 * For the whole block; not all bins are empty. */
template <class Target>
DEVICE Found find_bin(const u64* bins, Target target) {
  __shared__ u64 warps[WARP];
  __shared__ Found found;
  int each = BINS / blockDim.x;
  int first = threadIdx.x * each;
  u64 mine = 0;
  for (int i = 0; i < each; i++) {
    mine += bins[first + i];
  }
  u64 sum = mine;
  for (int offset = 1; offset < WARP; offset *= 2) {
    u64 other = __shfl_up_sync(ALL_LANES, sum, offset);
    sum += lane_index() >= offset ? other : 0;
  }
  if (lane_index() == WARP - 1) {
    warps[warp_index()] = sum;
  }
  __syncthreads();
  u64 before = sum - mine;
  u64 total = 0;
  for (int i = 0; i < (int)blockDim.x / WARP; i++) {
    before += i < warp_index() ? warps[i] : 0;
    total += warps[i];
  }
  u64 wanted = min((u64)target(total), total);
  if (before < wanted && wanted <= before + mine) {
    int bin = first;
    while (wanted > before + bins[bin]) {
      before += bins[bin++];
    }
    found = {bin, before, total};
  }
  __syncthreads();
  return found;
}

extern "C" __global__ void sample_list(Row* rows, Candidate* lists, const float* logits,
                                       const Draw* draws, int width) {
  Row& row = rows[blockIdx.y];
  Candidate* list = lists + (size_t)blockIdx.y * width;
  const Draw draw = draws[blockIdx.y];
  const float* x = logits + (size_t)blockIdx.y * width;
  float top = row_top(row, gridDim.x);
  if (isinf(top)) {
    return;
  }
  int last = min(bin_of((float)-draw.log_min_p) + 1, BINS - 1); /* that of min-p, rounded up */
  if (uses_bins(draw)) {
    last = find_bin(row.bins, [&](u64 total) {
             return draw.top_k > 0 ? (u64)draw.top_k : draw_needed(draw, total);
           }).bin;
  }
  Part part = own_part(width);
  for (int i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    if (x[i] > -INFINITY && bin_of(top - x[i]) <= last) {
      list[atomicAdd(&row.listed, 1)] = {x[i] + 0.0f, i}; /* -0 becomes 0 */
    }
  }
}
KERNEL(sample_list)

/* What a search by digits ends with. */
struct Bound {
  unsigned key;
  u64 rest;  /* of the target, to be reached by candidates with this key */
  u64 equal; /* sum of their amounts */
};

/*
 * Finds the least key such that the amounts of candidates up to it reach target(sum of all), digit
 * by digit. amount(candidate, key) sets the key, and is 0 for who does not take part.
 */
template <class Amount, class Target>
DEVICE Bound find_key(u64* bins, const Candidate* list, int count, int bits, Amount amount,
                      Target target) {
  Bound bound = {0, 0, 0};
  unsigned known = 0; /* mask of the digits found so far */
  for (int shift = (bits - 1) / DIGIT_BITS * DIGIT_BITS; shift >= 0; shift -= DIGIT_BITS) {
    for (int i = threadIdx.x; i < BINS; i += blockDim.x) {
      bins[i] = 0;
    }
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
      unsigned key;
      u64 own = amount(list[i], key);
      if (own > 0 && ((key ^ bound.key) & known) == 0) {
        atomicAdd(&bins[key >> shift & (BINS - 1)], own);
      }
    }
    __syncthreads();
    auto wanted = [&](u64 total) { return known == 0 ? target(total) : bound.rest; };
    Found found = find_bin(bins, wanted);
    bound.rest = min((u64)wanted(found.total), found.total) - found.before;
    bound.equal = bins[found.bin];
    bound.key |= (unsigned)found.bin << shift;
    known |= (unsigned)(BINS - 1) << shift;
    __syncthreads(); /* The bins have been read. */
  }
  return bound;
}

/* The last candidate that is kept, in the order of logits and ids. */
struct Cut {
  unsigned key;
  int id;
};

DEVICE bool keeps(const Cut& cut, const Candidate& c) {
  unsigned key = draw_key(c.logit);
  return key < cut.key || (key == cut.key && c.id <= cut.id);
}

/* Moves a cut to where the amounts of the candidates before it reach a target. */
template <class Amount, class Target>
DEVICE void move_cut(Cut& cut, u64* bins, const Candidate* list, int count, int id_bits,
                     Amount amount, Target target) {
  Cut old = cut;
  auto by_logit = [&](const Candidate& c, unsigned& key) {
    key = draw_key(c.logit);
    return keeps(old, c) ? amount(c.logit) : (u64)0;
  };
  Bound bound = find_key(bins, list, count, 32, by_logit, target);
  cut = {bound.key, bound.key == old.key ? old.id : 0x7fffffff};
  if (bound.rest + amount(draw_from_key(bound.key)) > bound.equal) {
    return; /* all of these equals */
  }
  auto by_id = [&](const Candidate& c, unsigned& key) {
    key = c.id;
    return draw_key(c.logit) == bound.key && c.id <= cut.id ? amount(c.logit) : (u64)0;
  };
  int id = find_key(bins, list, count, id_bits, by_id, [&](u64) { return bound.rest; }).key;
  cut.id = id;
}

extern "C" __global__ void sample_token(int* out, const Row* rows, const Candidate* lists,
                                        const Draw* draws, int width, int parts) {
  __shared__ u64 bins[BINS];
  const Row& row = rows[blockIdx.y];
  const Candidate* list = lists + (size_t)blockIdx.y * width;
  const Draw draw = draws[blockIdx.y];
  float top = row_top(row, parts);
  if (isinf(top)) {
    if (threadIdx.x == 0) {
      out[blockIdx.y] = -1;
    }
    return;
  }
  int count = row.listed;
  int id_bits = 32 - __clz(width);
  Cut cut = {0xffffffffu, 0x7fffffff};
  if (draw.top_k > 0 && draw.top_k < count) {
    move_cut(
        cut, bins, list, count, id_bits, [](float) { return (u64)1; },
        [&](u64) { return (u64)draw.top_k; });
  }
  if (draw.top_p < 1) {
    /* With top-k the list holds all whose weight counts, otherwise the bins do. */
    u64 all = draw.top_k > 0 ? 0 : find_bin(row.bins, [](u64 total) { return total; }).total;
    move_cut(
        cut, bins, list, count, id_bits, [&](float logit) { return draw_weight(logit - top); },
        [&](u64 total) { return draw_needed(draw, draw.top_k > 0 ? total : all); });
  }
  double least = (double)top + draw.log_min_p;
  auto by_id = [&](const Candidate& c, unsigned& key) {
    key = c.id;
    bool left = keeps(cut, c) && (double)c.logit >= least;
    return left ? draw_weight((c.logit - top) / draw.temperature) : (u64)0;
  };
  Bound token = find_key(bins, list, count, id_bits, by_id,
                         [&](u64 total) { return draw_point(draw, total) + 1; });
  if (threadIdx.x == 0) {
    out[blockIdx.y] = (int)token.key;
  }
}
KERNEL(sample_token)
