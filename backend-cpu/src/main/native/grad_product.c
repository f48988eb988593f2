/* Products of large F32 matrices, a part of the depth at a time. */
#include "grad_matrix.h"

/* Depth that is multiplied before the sums go to memory. */
#define CHUNK 384

/* c[rows, columns] (=|+=) strips of a · panels of b, which lie `distance` bytes apart. */
static void multiply_all(float *c, int64_t c_row, const uint8_t *a, const uint8_t *b,
                         int64_t distance, int64_t rows, int64_t depth, int64_t columns,
                         int64_t add) {
  for (int64_t j = 0; j < columns; j += PANEL, b += distance) {
    const int64_t width = least(PANEL, columns - j);
    const uint8_t *strip = a;
    for (int64_t i = 0; i < rows; i += STRIP, strip += strip_bytes(depth)) {
      float *to = c + i * c_row + j;
      if (rows - i >= STRIP && width == PANEL) {
        multiply(to, c_row, strip, b, depth, depth, add);
      } else {
        multiply_edge(to, c_row, least(STRIP, rows - i), width, strip, b, depth, depth, add);
      }
    }
  }
}

/*
 * Copies b[depth, columns] to panels: the whole depth of 32 columns, then that of the next, 192
 * bytes for each depth rounded up to 32. b_row, b_column: distance of its rows and columns.
 */
KERNEL(grad_pack)(uint8_t *to, const float *b, int64_t b_row, int64_t b_column, int64_t depth,
                  int64_t columns) {
  for (int64_t j = 0; j < columns; j += PANEL, to += panel_bytes(depth)) {
    for (int64_t k = 0; k < depth; k += CHUNK) {
      const struct matrix part = {b + k * b_row + j * b_column, b_row, b_column};
      pack_panel(to + k * PANEL_ROW_BYTES, part, least(PANEL, columns - j),
                 least(CHUNK, depth - k));
    }
  }
}

/*
 * c[rows, columns] (=|+=) a[rows, depth] · b, b as grad_pack leaves it. scratch: 2304 bytes for each
 * of the rows and 32 more.
 */
KERNEL(grad_product)(float *c, int64_t c_row, const float *a, int64_t a_row, int64_t a_column,
                     const uint8_t *b, int64_t rows, int64_t depth, int64_t columns, int64_t add,
                     uint8_t *scratch) {
  begin();
  for (int64_t k = 0; k < depth; k += CHUNK) {
    const int64_t now = least(CHUNK, depth - k);
    const struct matrix part = {a + k * a_column, a_row, a_column};
    pack_strips(scratch, part, rows, now);
    multiply_all(c, c_row, scratch, b + k * PANEL_ROW_BYTES, panel_bytes(depth), rows, now, columns,
                 add || k > 0);
  }
  end();
}

/*
 * c[rows, columns] += aT · b of a[depth, rows] and b[depth, columns], both stored by rows: of a
 * great depth, so that what is packed is a part of it. scratch: 2304 bytes for each of the rows,
 * the columns and 96 more.
 */
KERNEL(grad_product_deep)(float *c, int64_t c_row, const float *a, int64_t a_row, const float *b,
                          int64_t b_row, int64_t rows, int64_t depth, int64_t columns,
                          uint8_t *scratch) {
  begin();
  uint8_t *panels = scratch + (rows + 31 + STRIP) / 32 * 32 * CHUNK * 6;
  for (int64_t k = 0; k < depth; k += CHUNK) {
    const int64_t now = least(CHUNK, depth - k);
    const struct matrix part_a = {a + k * a_row, 1, a_row};
    const struct matrix part_b = {b + k * b_row, b_row, 1};
    pack_strips(scratch, part_a, rows, now);
    pack_panels(panels, part_b, now, columns);
    multiply_all(c, c_row, scratch, panels, panel_bytes(now), rows, now, columns, 1);
  }
  end();
}
